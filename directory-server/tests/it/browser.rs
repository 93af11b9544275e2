//! A browser without JavaScript: it keeps cookies and sends forms as they stand in the page.

use std::cell::RefCell;
use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use tower::ServiceExt;

use crate::people_world::Directory;

pub(crate) const ORIGIN: &str = "https://directory.example";

/// Somebody at a browser.
pub(crate) struct Browser<'a> {
    directory: &'a Directory,
    pub(crate) cookies: RefCell<BTreeMap<String, String>>,
}

/// A page as it came.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) status: StatusCode,
    pub(crate) location: String,
    pub(crate) set_cookies: Vec<String>,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) text: String,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(directory: &'a Directory) -> Self {
        Self {
            directory,
            cookies: RefCell::default(),
        }
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).cloned()
    }

    pub(crate) async fn open(&self, path: &str) -> Shown {
        self.send(Request::get(path).body(Body::empty()).unwrap())
            .await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let body = serde_urlencoded::to_string(fields).unwrap();
        let request = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("origin", ORIGIN);
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Fills in the form of a page that goes to `action`, and sends it.
    pub(crate) async fn fill(&self, page: &Shown, action: &str, fields: &[(&str, &str)]) -> Shown {
        let mut sent = page.hidden_fields(action);
        sent.extend(
            fields
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
        );
        let sent: Vec<(&str, &str)> = sent.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        self.post(action, &sent).await
    }

    pub(crate) async fn send(&self, mut request: Request<Body>) -> Shown {
        let cookies = self.cookies.borrow().clone();
        let line: Vec<String> = cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let headers = request.headers_mut();
        headers.insert("host", "directory.example".parse().unwrap());
        if !line.is_empty() {
            headers.insert("cookie", line.join("; ").parse().unwrap());
        }
        let response = self.directory.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = to_bytes(body, usize::MAX).await.unwrap();
        let word = |name: header::HeaderName| {
            let value = parts.headers.get(name);
            value
                .map(|value| value.to_str().unwrap().to_owned())
                .unwrap_or_default()
        };
        let set = parts.headers.get_all(header::SET_COOKIE).iter();
        let set_cookies: Vec<String> = set.map(|line| line.to_str().unwrap().to_owned()).collect();
        for line in &set_cookies {
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.borrow_mut().remove(name);
            } else {
                self.cookies
                    .borrow_mut()
                    .insert(name.to_owned(), value.to_owned());
            }
        }
        Shown {
            status: parts.status,
            location: word(header::LOCATION),
            set_cookies,
            text: String::from_utf8(text.to_vec()).unwrap(),
            headers: parts.headers,
        }
    }
}

impl Shown {
    pub(crate) fn hidden_fields(&self, action: &str) -> Vec<(String, String)> {
        let start = format!("action=\"{action}\"");
        let form = self
            .text
            .split(&start)
            .nth(1)
            .expect("a form that goes there");
        let form = form.split("</form>").next().unwrap();
        form.split("<input type=\"hidden\" name=\"")
            .skip(1)
            .map(|input| {
                let (name, rest) = input.split_once('"').unwrap();
                let value = rest
                    .split("value=\"")
                    .nth(1)
                    .unwrap()
                    .split('"')
                    .next()
                    .unwrap();
                (name.to_owned(), value.to_owned())
            })
            .collect()
    }
}
