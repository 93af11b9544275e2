//! The administrator of the benchmark, over the REST API.

use std::time::{Duration, Instant};

use directory_api::rest::{LoginRequest, Secret, SessionCreated};

use crate::Failure;
use crate::clock;
use crate::simulated_host::client;

/// A signed-in administrator.
pub(crate) struct Administrator {
    base: String,
    http: reqwest::Client,
    token: String,
}

/// When something was asked for, and when the directory had answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// The call was sent.
    pub(crate) asked: Instant,
    /// The call returned.
    pub(crate) returned: Instant,
}

impl Times {
    /// From the return of the call to a moment; zero when the moment came first.
    pub(crate) fn until(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.returned)
    }
}

impl Administrator {
    /// Signs in with a password.
    pub(crate) async fn sign_in(
        base: &str,
        ca_pem: &str,
        username: &str,
        password: &str,
    ) -> Result<Self, Failure> {
        let http = client(ca_pem, None)?;
        let session: SessionCreated = http
            .post(format!("{base}/api/v1/auth/login"))
            .json(&LoginRequest {
                username: username.to_owned(),
                password: Secret::new(password.to_owned()),
            })
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        Ok(Self {
            base: base.to_owned(),
            http,
            token: session.token.expose().to_owned(),
        })
    }

    /// The id of a user.
    pub(crate) async fn id_of(&self, username: &str) -> Result<String, Failure> {
        let address = format!("{}/api/v1/users/{username}", self.base);
        let answer = self.http.get(address).bearer_auth(&self.token).send();
        let user: serde_json::Value = answer.await?.error_for_status()?.json().await?;
        let id = user.get("id").and_then(serde_json::Value::as_str);
        Ok(id
            .ok_or("the directory answered a user without an id")?
            .to_owned())
    }

    /// Suspends a user.
    pub(crate) async fn suspend(&self, user: &str) -> Result<Times, Failure> {
        self.act(user, "suspend").await
    }

    /// Makes a suspended user active again.
    pub(crate) async fn activate(&self, user: &str) -> Result<Times, Failure> {
        self.act(user, "activate").await
    }

    async fn act(&self, user: &str, verb: &str) -> Result<Times, Failure> {
        let address = format!("{}/api/v1/users/{user}/{verb}", self.base);
        let asked = clock::instant();
        let call = self.http.post(address).bearer_auth(&self.token);
        call.send().await?.error_for_status()?;
        let returned = clock::instant();
        Ok(Times { asked, returned })
    }
}
