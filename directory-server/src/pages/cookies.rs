//! Cookies and the tokens in forms. A cookie holds a secret that the API knows by its hash; the
//! token of a form follows from that secret and from where the form goes, and tells nothing of it.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use directory_api::rest::same;
use sha2::{Digest, Sha256};

const LENGTH_MAX: usize = 128;

/// The cookies there are. `__Host-`: only this server, over TLS, can have set them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cookie {
    /// Somebody is signed in.
    Session,
    /// Somebody is enrolling.
    Enrolment,
    /// Somebody's password was right, and their code is to come.
    SecondStep,
}

impl Cookie {
    const fn name(self) -> &'static str {
        match self {
            Self::Session => "__Host-cloudid",
            Self::Enrolment => "__Host-cloudid-enroll",
            Self::SecondStep => "__Host-cloudid-code",
        }
    }

    /// What the browser sent; nothing if it sent two of them, or what we never gave.
    pub(super) fn read(self, headers: &HeaderMap) -> Option<Held> {
        let lines = headers.get_all(header::COOKIE);
        let mut found = lines
            .iter()
            .filter_map(|line| line.to_str().ok())
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == self.name())
            .map(|(_, value)| value);
        let value = found.next()?;
        let sound = found.next().is_none() && is_token(value);
        sound.then(|| Held(value.to_owned()))
    }

    /// Gives the browser a secret to keep until it is closed.
    pub(super) fn give(self, secret: &str, response: Response) -> Response {
        self.set(&format!("{}={secret}", self.name()), response)
    }

    /// Takes it away again.
    pub(super) fn take(self, response: Response) -> Response {
        self.set(&format!("{}=; Max-Age=0", self.name()), response)
    }

    fn set(self, pair: &str, mut response: Response) -> Response {
        let line = format!("{pair}; Path=/; Secure; HttpOnly; SameSite=Strict");
        if let Ok(line) = HeaderValue::from_str(&line) {
            response.headers_mut().append(header::SET_COOKIE, line);
        }
        response
    }
}

/// Letters, digits, `-` and `_`, as all our tokens: it may stand in an address.
pub(super) fn is_token(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.len() <= LENGTH_MAX && text.bytes().all(plain)
}

/// The secret of a cookie.
#[derive(Clone)]
pub(super) struct Held(String);

impl Held {
    pub(super) fn secret(&self) -> &str {
        &self.0
    }

    /// What a form to this path must bring along.
    pub(super) fn form_token(&self, path: &str) -> String {
        let hash = Sha256::new()
            .chain_update("cloudid form\0")
            .chain_update(path)
            .chain_update("\0")
            .chain_update(&self.0)
            .finalize();
        URL_SAFE_NO_PAD.encode(hash)
    }

    pub(super) fn made(&self, path: &str, token: &str) -> bool {
        same(&self.form_token(path), token)
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    fn sent(line: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, line.parse().unwrap());
        headers
    }

    #[test]
    fn web_08_cookies_are_bound_to_this_host_and_hidden_from_scripts() {
        let response = Cookie::Session.give("cls_x", ().into_response());
        let set = response.headers()[header::SET_COOKIE].to_str().unwrap();
        assert_eq!(
            set,
            "__Host-cloudid=cls_x; Path=/; Secure; HttpOnly; SameSite=Strict"
        );
        assert!(!set.contains("Domain"));
    }

    #[test]
    fn a_cookie_that_comes_twice_or_that_we_never_gave_is_none() {
        let read = |line: &str| Cookie::Session.read(&sent(line)).is_some();
        assert!(read("a=b; __Host-cloudid=cls_x"));
        assert!(!read("__Host-cloudid=cls_x; __Host-cloudid=cls_y"));
        assert!(!read("__Host-cloudid=../x"));
        assert!(!read("__Host-cloudid-enroll=clv_x"));
        assert!(!read("cloudid=cls_x"));
    }

    #[test]
    fn web_05_the_token_of_one_form_or_session_opens_no_other() {
        let (alice, bob) = (Held("cls_a".into()), Held("cls_b".into()));
        let token = alice.form_token("/me/password");
        assert!(alice.made("/me/password", &token));
        assert!(!alice.made("/me/ssh-keys", &token));
        assert!(!bob.made("/me/password", &token));
        assert!(!alice.made("/me/password", ""));
    }
}
