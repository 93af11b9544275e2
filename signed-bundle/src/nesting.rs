//! How deep a JSON text nests, counted without decoding it.

/// The depth of lists and objects within each other. Right for valid JSON; for anything else
/// only an upper bound of what a decoder would descend into.
pub(crate) fn depth(text: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0_usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text {
        match (in_string, escaped, byte) {
            (true, true, _) => escaped = false,
            (true, false, b'\\') => escaped = true,
            (_, false, b'"') => in_string = !in_string,
            (false, _, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, _, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_strings_do_not_count() {
        assert_eq!(depth(br#"{"a":"[[[[\"[[","b":[1,{"c":[]}]}"#), 4);
        assert_eq!(depth(b"7"), 0);
        assert_eq!(depth(&[b'['; 1000]), 1000);
    }
}
