//! Talks to the directory. Every answer that is not a yes becomes a [`Failure`] with what, why and
//! what to do next.

mod problem;
mod step_up;

use std::path::Path;
use std::time::Duration;

use reqwest::tls::Version;
use reqwest::{Certificate, Method, RequestBuilder, Response, StatusCode, Url, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::session::Session;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const PAGE_OBJECTS: &str = "200";
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A directory, and who we are there.
#[derive(Debug)]
pub(crate) struct Directory {
    base: Url,
    http: reqwest::Client,
    session: Option<Session>,
}

/// One call: what to do where, and what goes along.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: Vec<String>,
    query: Vec<(String, String)>,
    body: Option<Value>,
    if_match: Option<String>,
    headers: Vec<(&'static str, String)>,
}

impl Call {
    pub(crate) fn new(method: Method, path: &[&str]) -> Self {
        Self {
            method,
            path: path.iter().map(|part| (*part).to_owned()).collect(),
            query: Vec::new(),
            body: None,
            if_match: None,
            headers: Vec::new(),
        }
    }

    pub(crate) fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post(path: &[&str], body: &impl Serialize) -> Self {
        Self::new(Method::POST, path).body(body)
    }

    /// Bodies are types of `directory-api`, whose keys are texts: they always become JSON.
    pub(crate) fn body(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_value(body).ok();
        self
    }

    pub(crate) fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn query_if(self, name: &str, value: Option<&String>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    pub(crate) fn if_match(mut self, tag: Option<String>) -> Self {
        self.if_match = tag;
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn dry_run(self) -> Self {
        self.query("dry_run", "true")
    }
}

/// An answer and the version it has.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) body: Value,
    pub(crate) entity_tag: Option<String>,
}

impl Directory {
    /// The directory of the current session.
    pub(crate) fn signed_in(context: &Context) -> Result<Self, Failure> {
        let session = Session::current(context)?;
        let ca = session.ca_certificate.clone();
        let mut directory = Self::at(&session.url, ca.as_deref(), context)?;
        directory.session = Some(session);
        Ok(directory)
    }

    /// A directory where nobody is signed in yet.
    pub(crate) fn at(url: &str, ca: Option<&str>, context: &Context) -> Result<Self, Failure> {
        let base = Url::parse(url)
            .ok()
            .filter(|base| base.scheme() == "https" && base.host().is_some())
            .filter(|base| base.username().is_empty() && base.password().is_none())
            .ok_or_else(|| {
                Failure::usage(format!("\"{url}\" is not the address of a directory"))
                    .next("write https://HOST or https://HOST:PORT")
            })?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("cloudid/", env!("CARGO_PKG_VERSION")))
            .tls_version_min(Version::TLS_1_3)
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT.min(context.options.timeout))
            .read_timeout(context.options.timeout);
        if let Some(ca) = ca {
            builder = builder.tls_certs_only(certificates(ca)?);
        }
        let http = builder
            .build()
            .map_err(|error| Failure::failed("TLS cannot be set up").because(chain(&error)))?;
        Ok(Self {
            base,
            http,
            session: None,
        })
    }

    pub(crate) fn url(&self) -> &Url {
        &self.base
    }

    pub(crate) async fn call(&self, call: Call) -> Result<Answer, Failure> {
        let response = match self.send(&call).await {
            Err(refused) if step_up::demanded(&refused).is_some() => {
                self.prove(refused).await?;
                self.send(&call).await?
            }
            answered => answered?,
        };
        let tag = response.headers().get(header::ETAG);
        let entity_tag = tag.and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let bytes = self.bounded_body(response).await?;
        let body = if bytes.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&bytes).map_err(|_| self.not_understood())?
        };
        Ok(Answer { body, entity_tag })
    }

    pub(crate) async fn ask<T: DeserializeOwned>(&self, call: Call) -> Result<T, Failure> {
        let answer = self.call(call).await?;
        serde_json::from_value(answer.body).map_err(|_| self.not_understood())
    }

    /// All pages of a list.
    pub(crate) async fn list(&self, call: Call) -> Result<Vec<Value>, Failure> {
        let mut objects = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = call.clone().query("limit", PAGE_OBJECTS);
            let page = page.query_if("cursor", cursor.as_ref());
            let mut page: directory_api::rest::Page<Value> = self.ask(page).await?;
            objects.append(&mut page.items);
            match page.next_cursor {
                Some(next) if Some(&next) != cursor.as_ref() => cursor = Some(next),
                Some(_) | None => return Ok(objects),
            }
        }
    }

    /// A response that is read as it comes, such as a stream of events.
    pub(crate) async fn send(&self, call: &Call) -> Result<Response, Failure> {
        let mut request = self.http.request(call.method.clone(), self.address(call)?);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        if call.method == Method::POST {
            request = request.header("idempotency-key", idempotency_key()?);
        }
        if let Some(tag) = &call.if_match {
            request = request.header(header::IF_MATCH, tag);
        }
        if let Some(session) = &self.session {
            request = request.bearer_auth(session.token.expose());
        }
        if let Some(body) = &call.body {
            let content_type = match call.method {
                Method::PATCH => "application/merge-patch+json",
                _ => "application/json",
            };
            request = request
                .header(header::CONTENT_TYPE, content_type)
                .body(body.to_string());
        }
        let response = self.attempt(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = self.bounded_body(response).await.unwrap_or_default();
        Err(self.refused(status, &body))
    }

    /// A read, or a write that carries its idempotency key, is sent a second time when the
    /// connection broke after it was made: whichever arrived is done once.
    async fn attempt(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let repeat = request.try_clone();
        match (request.send().await, repeat) {
            (Ok(response), _) => Ok(response),
            (Err(error), Some(repeat)) if error.is_request() && !error.is_connect() => {
                let repeatable = repeat
                    .try_clone()
                    .and_then(|request| request.build().ok())
                    .is_some_and(|request| matches!(*request.method(), Method::GET | Method::POST));
                if !repeatable || error.is_timeout() {
                    return Err(self.unreachable(&error));
                }
                repeat
                    .send()
                    .await
                    .map_err(|error| self.unreachable(&error))
            }
            (Err(error), _) => Err(self.unreachable(&error)),
        }
    }

    async fn bounded_body(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.unreachable(&error))?
        {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(self.not_understood());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Every part becomes exactly one segment: a name never becomes a path.
    fn address(&self, call: &Call) -> Result<Url, Failure> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]);
        }
        for part in &call.path {
            if part.is_empty() || part == "." || part == ".." {
                return Err(Failure::usage(format!("\"{part}\" is not a name")));
            }
            if let Ok(mut segments) = url.path_segments_mut() {
                segments.push(part);
            }
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }

    fn refused(&self, status: StatusCode, body: &[u8]) -> Failure {
        match serde_json::from_slice(body) {
            Ok(problem) => problem::failure(&problem),
            Err(_) => Failure::failed(format!("{} answered {status}", self.base))
                .because("the answer is not one of a cloudid directory")
                .next("is the address right, and is there a proxy in between?"),
        }
    }

    fn not_understood(&self) -> Failure {
        Failure::failed(format!("the answer of {} cannot be understood", self.base))
            .next("compare the versions: cloudid --version, and the directory's /api/v1/version")
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let why = chain(error);
        let next = if why.contains("certificate") {
            "if the directory has a private CA: cloudid login --url URL --ca-file FILE"
        } else {
            "is the address right, does the directory run, does the network work?"
        };
        Failure::new(
            Kind::Unreachable,
            format!("{} cannot be reached", self.base),
        )
        .because(why)
        .next(next)
    }
}

/// Reads the CA that is to be pinned.
pub(crate) fn read_ca(path: &Path) -> Result<String, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    certificates(&text)
        .map(|_| text)
        .map_err(|failure| failure.because(format!("{} holds no PEM certificate", path.display())))
}

fn certificates(pem: &str) -> Result<Vec<Certificate>, Failure> {
    Certificate::from_pem_bundle(pem.as_bytes())
        .ok()
        .filter(|certificates| !certificates.is_empty())
        .ok_or_else(|| Failure::usage("the CA cannot be used"))
}

fn idempotency_key() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::failed("no randomness").because(error.to_string()))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Environment;
    use clap::Parser;

    fn context() -> Context {
        let line = crate::arguments::CommandLine::parse_from(["cloudid", "whoami"]);
        let now = "2026-03-02T15:00:00Z[UTC]".parse().unwrap();
        Context::new(line.options, Environment::default(), now)
    }

    #[test]
    fn a_name_stays_one_segment_of_the_address() {
        let directory = Directory::at("https://id.example.org/base/", None, &context()).unwrap();
        let address = |name: &str| directory.address(&Call::get(&["users", name]));
        assert_eq!(
            address("a/../b?c#d e").unwrap().as_str(),
            "https://id.example.org/base/api/v1/users/a%2F..%2Fb%3Fc%23d%20e"
        );
        for name in ["", ".", ".."] {
            assert!(address(name).is_err());
        }
    }

    #[test]
    fn only_https_addresses_without_secrets_are_taken() {
        for url in [
            "http://id.example.org",
            "id.example.org",
            "https://u:p@id.example.org",
            "",
        ] {
            assert!(Directory::at(url, None, &context()).is_err(), "{url}");
        }
    }
}
