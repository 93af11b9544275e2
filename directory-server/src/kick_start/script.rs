//! The text of `/install.sh`, and the line that runs it. What stands in both is public.

use std::fmt::Write;

use super::packages::Offer;
use crate::state::AppState;

const TEMPLATE: &str = include_str!("install.sh");
/// Where the template gets its values.
const VALUES: &str = "    # VALUES\n";

/// What a machine must know of the directory before it trusts it.
#[derive(Debug, Clone, Copy)]
pub struct Directory<'a> {
    /// Its address for hosts.
    pub url: &'a str,
    /// The certificate that hosts pin, PEM.
    pub ca: &'a str,
    /// The server's key as curl names it, where no public authority vouches for the certificate.
    pub pin: Option<&'a str>,
}

impl<'a> Directory<'a> {
    /// This one.
    pub(crate) fn of(state: &'a AppState) -> Self {
        Self {
            url: &state.organisation.public_url,
            ca: state.authority.pinned_certificate_pem(),
            pin: state.authority.server_pin(),
        }
    }
}

/// The line that an administrator types on a machine, with the token in the place of `TOKEN`. The
/// space in front keeps it out of the history of shells that are told to heed it.
#[must_use]
pub fn install_line(directory: &Directory<'_>) -> String {
    let address = word(&format!("{}/install.sh", directory.url));
    let curl = match directory.pin {
        // Without an authority that vouches for it, the key itself is what is compared.
        Some(pin) => format!("curl -fsSLk --pinnedpubkey {} {address}", word(pin)),
        None => format!("curl -fsSL {address}"),
    };
    format!(" printf %s 'TOKEN' | sudo sh -c \"$({curl})\"")
}

/// The script for this directory and these packages.
#[must_use]
pub fn install_script(directory: &Directory<'_>, offer: &Offer) -> String {
    let packages = offer
        .packages
        .iter()
        .fold(String::new(), |mut text, package| {
            let parts = (&package.architecture, &package.digest, &package.file);
            // Writing to a text does not fail.
            let _ = writeln!(
                text,
                "{} {} {} {}",
                package.family, parts.0, parts.1, parts.2
            );
            text
        });
    let certificate = match directory.pin {
        Some(_) => directory.ca,
        None => "",
    };
    let values = [
        ("directory", directory.url),
        ("ca", directory.ca.trim_end()),
        ("fetch_ca", certificate.trim_end()),
        ("packages", packages.trim_end()),
        ("problems", &offer.problems.join("\n")),
    ];
    let values = values
        .iter()
        .fold(String::new(), |mut text, (name, value)| {
            let _ = writeln!(text, "    {name}={}", quoted(value));
            text
        });
    TEMPLATE.replacen(VALUES, &values, 1)
}

/// As it is where a shell takes it for one plain word, quoted otherwise.
fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b":/.+=_-".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// One word to a shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::kick_start::Package;

    const DIRECTORY: Directory<'_> = Directory {
        url: "https://id.example.org:8443",
        ca: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
        pin: Some("sha256//AbC+/d="),
    };

    #[test]
    fn the_line_is_the_one_of_the_manual() {
        assert_eq!(
            install_line(&DIRECTORY),
            " printf %s 'TOKEN' | sudo sh -c \"$(curl -fsSLk --pinnedpubkey sha256//AbC+/d= \
             https://id.example.org:8443/install.sh)\""
        );
        let public = Directory {
            pin: None,
            ..DIRECTORY
        };
        assert_eq!(
            install_line(&public),
            " printf %s 'TOKEN' | sudo sh -c \"$(curl -fsSL https://id.example.org:8443/install.sh)\""
        );
    }

    /// What a shell makes of a script: its output, and whether it ended well.
    fn shell(script: &str) -> (String, bool) {
        let ended = Command::new("sh").args(["-c", script]).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        (said, ended.status.success())
    }

    #[test]
    fn values_stay_values_whatever_is_in_them() {
        let hostile = "https://a'$(echo oops)`echo oops`\"\\\n; echo oops";
        let (said, _) = shell(&format!("x={}; printf %s \"$x\"", quoted(hostile)));
        assert_eq!(said, hostile);
        let directory = Directory {
            url: hostile,
            ..DIRECTORY
        };
        let script = install_script(&directory, &Offer::default());
        let (said, ended_well) = shell(&script);
        assert!(!said.contains("oops"), "{said}");
        assert!(!ended_well);
        let (said, _) = shell(&format!(
            "curl() {{ :; }}; sudo() {{ :; }};{}",
            install_line(&directory)
        ));
        assert!(!said.contains("oops"), "{said}");
    }

    #[test]
    fn a_script_that_is_cut_off_does_nothing() {
        let package = Package {
            family: "deb",
            architecture: "amd64".to_owned(),
            file: "cloudid_1_amd64.deb".to_owned(),
            digest: "00".to_owned(),
        };
        let offer = Offer {
            packages: vec![package],
            problems: Vec::new(),
        };
        let script = install_script(&DIRECTORY, &offer);
        assert!(script.contains("deb amd64 00 cloudid_1_amd64.deb"));
        let whole = script.trim_end();
        for (end, _) in whole
            .char_indices()
            .filter(|(end, _)| end % 7 == 0 || end + 40 > whole.len())
        {
            let part = whole.get(..end).unwrap();
            let traced = Command::new("sh").args(["-xc", part]).output().unwrap();
            let told = String::from_utf8_lossy(&traced.stderr);
            // A shell traces what it runs.
            assert!(
                !told.lines().any(|line| line.starts_with('+')),
                "{end}: {told}"
            );
        }
    }
}
