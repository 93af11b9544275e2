//! Texts from outside, made fit for a terminal and for a log.

/// Longest text shown to a person.
const SHOWN_BYTES_MAX: usize = 1024;
/// Longest text of the service that is passed on.
const FIELD_BYTES_MAX: usize = 256;

/// Without anything that moves a cursor, turns the direction of writing or hides letters, and at
/// most 1 KiB long. Lines may end.
pub(crate) fn shown(text: &str) -> String {
    let mut clean = String::new();
    for letter in text.chars().filter(|&letter| printable(letter)) {
        if clean.len() + letter.len_utf8() > SHOWN_BYTES_MAX {
            break;
        }
        clean.push(letter);
    }
    clean
}

/// What a service says about a login, as text of bounded length.
pub(crate) fn field(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut end = text.len().min(FIELD_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

fn printable(letter: char) -> bool {
    if letter == '\n' {
        return true;
    }
    let invisible = matches!(
        letter,
        '\u{00ad}'
            | '\u{061c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    !letter.is_control() && !invisible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pam_21_terminal_sequences_lose_what_makes_them_work() {
        assert_eq!(shown("\u{1b}[31mred\u{1b}[0m"), "[31mred[0m");
        assert_eq!(shown("\u{1b}]0;title\u{7}text"), "]0;titletext");
        assert_eq!(shown("\u{9b}31mC1"), "31mC1");
        assert_eq!(shown("a\rb\x08c\x7fd\0e"), "abcde");
    }

    #[test]
    fn pam_21_letters_that_turn_or_hide_text_are_dropped() {
        assert_eq!(shown("ab\u{202e}cd\u{2066}ef\u{200b}g"), "abcdefg");
        assert_eq!(shown("Vérifier 検証 \u{1f511}"), "Vérifier 検証 \u{1f511}");
    }

    #[test]
    fn pam_21_a_long_text_is_cut_between_letters() {
        let long = "\u{e9}".repeat(1 << 19);
        assert_eq!(shown(&long).len(), SHOWN_BYTES_MAX);
        let odd = format!("a{long}");
        assert_eq!(shown(&odd).len(), SHOWN_BYTES_MAX - 1);
    }

    #[test]
    fn a_field_is_cut_between_letters_and_always_text() {
        assert_eq!(field(b"pts/3"), "pts/3");
        assert_eq!(field(b"caf\xe9"), "caf\u{fffd}");
        let long = format!("a{}", "\u{e9}".repeat(500));
        assert_eq!(field(long.as_bytes()).len(), FIELD_BYTES_MAX - 1);
    }
}
