//! What a form brings: only from our own pages, only as a form, only small, no field twice.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use zeroize::Zeroizing;

use super::Pages;
use super::client::{Trouble, Visitor};
use super::cookies::{Cookie, Held};

const BYTES_MAX: usize = 64 * 1024;
const TOKEN_FIELD: &str = "form_token";

/// The fields of a form, and who sent it.
pub(super) struct Form {
    fields: BTreeMap<String, Zeroizing<String>>,
    pub(super) visitor: Visitor,
}

impl Form {
    /// A field as it was typed; empty where it is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |text| text.as_str())
    }
}

impl FromRequest<Pages> for Form {
    type Rejection = Trouble;

    async fn from_request(request: Request, _: &Pages) -> Result<Self, Trouble> {
        let (path, headers) = (request.uri().path().to_owned(), request.headers().clone());
        // HTTP/2 names the host in the address, HTTP/1.1 in a header.
        let host = match request.uri().authority() {
            Some(authority) => authority.as_str(),
            None => headers
                .get(header::HOST)
                .and_then(|host| host.to_str().ok())
                .unwrap_or_default(),
        };
        if !from_our_own_page(&headers, host) {
            return Err(foreign());
        }
        let visitor = Visitor::of(&request);
        if !is_form(&headers) {
            return Err(Trouble::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "This is no form.",
            ));
        }
        let body = tokio::time::timeout(
            std::time::Duration::from_secs(30),
            axum::body::to_bytes(request.into_body(), BYTES_MAX),
        );
        let body =
            body.await.ok().and_then(Result::ok).ok_or_else(|| {
                Trouble::new(StatusCode::PAYLOAD_TOO_LARGE, "The form is too large.")
            })?;
        let form = Self {
            fields: fields(&body)?,
            visitor,
        };
        match guard(&path, &headers) {
            Guard::Open => Ok(form),
            Guard::Held(held) if held.made(&path, form.text(TOKEN_FIELD)) => Ok(form),
            Guard::Held(_) => Err(foreign()),
            Guard::Missing => Err(Trouble::signed_out()),
        }
    }
}

/// Scripts name the charset, browsers do not.
fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// What a form must show besides coming from one of our pages.
enum Guard {
    /// Nothing: it brings its own secret, a code or a password.
    Open,
    /// The token that follows from this cookie.
    Held(Held),
    /// A cookie that is not there.
    Missing,
}

fn guard(path: &str, headers: &HeaderMap) -> Guard {
    let cookie = match path {
        "/enroll" | "/sign-in" => return Guard::Open,
        "/sign-in/code" => Cookie::SecondStep,
        _ if path.starts_with("/enroll/") => Cookie::Enrolment,
        _ => Cookie::Session,
    };
    cookie.read(headers).map_or(Guard::Missing, Guard::Held)
}

fn fields(body: &[u8]) -> Result<BTreeMap<String, Zeroizing<String>>, Trouble> {
    let unclear = || Trouble::new(StatusCode::BAD_REQUEST, "The form cannot be read.");
    let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(body).map_err(|_| unclear())?;
    let mut fields = BTreeMap::new();
    for (name, text) in pairs {
        if fields.insert(name, Zeroizing::new(text)).is_some() {
            return Err(unclear());
        }
    }
    Ok(fields)
}

/// Browsers say where a form comes from; what says nothing is no browser, and has no cookies of
/// somebody else.
fn from_our_own_page(headers: &HeaderMap, host: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let site = text("sec-fetch-site").is_none_or(|site| site == "same-origin");
    let origin = text("origin").is_none_or(|origin| {
        origin
            .strip_prefix("https://")
            .is_some_and(|from| !from.is_empty() && from.eq_ignore_ascii_case(host))
    });
    site && origin
}

fn foreign() -> Trouble {
    Trouble::new(
        StatusCode::FORBIDDEN,
        "This form does not come from the page as it is now. Open the page again.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn web_05_forms_of_other_sites_are_refused() {
        let own = ("origin", "https://directory.example:8443");
        let from_our_own_page =
            |headers: &HeaderMap| from_our_own_page(headers, "directory.example:8443");
        assert!(from_our_own_page(&headers(&[own])));
        assert!(from_our_own_page(&headers(&[
            own,
            ("sec-fetch-site", "same-origin")
        ])));
        for foreign in [
            ("origin", "https://evil.example"),
            ("origin", "http://directory.example:8443"),
            ("origin", "https://directory.example"),
            ("origin", "null"),
            ("origin", ""),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
        ] {
            assert!(!from_our_own_page(&headers(&[foreign])), "{foreign:?}");
        }
    }

    #[test]
    fn a_field_that_stands_twice_is_refused() {
        assert!(fields(b"a=1&a=2").is_err());
        assert_eq!(fields(b"a=1%26&b=").unwrap()["a"].as_str(), "1&");
    }
}
