//! A YubiKey validation server on this machine: Yubico's validation protocol 2.0 with its HMAC-SHA-1,
//! counters and all, and every way in which such a server can misbehave.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

pub(crate) const CLIENT: &str = "4711";
const KEY: &[u8] = b"a key of twenty byte";

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Honest,
    NoSignature,
    WrongSignature,
    WrongNonce,
    NoNonce,
    OtherPassword,
    NoPassword,
    Status(&'static str),
    HttpError,
    Garbage,
    Redirect,
    Silent,
}

#[derive(Clone)]
pub(crate) struct ValidationServer {
    pub(crate) url: String,
    told: Arc<Mutex<Told>>,
}

struct Told {
    mood: Mood,
    /// Highest counter seen of each key.
    counters: BTreeMap<String, u32>,
    asked: usize,
}

impl ValidationServer {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let told = Told {
            mood: Mood::Honest,
            counters: BTreeMap::new(),
            asked: 0,
        };
        let server = Self {
            url: format!("http://{}/wsapi/2.0/verify", listener.local_addr().unwrap()),
            told: Arc::new(Mutex::new(told)),
        };
        let router = Router::new()
            .route("/wsapi/2.0/verify", get(verify))
            .with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    pub(crate) fn secret() -> String {
        STANDARD.encode(KEY)
    }

    pub(crate) fn is(&self, mood: Mood) {
        self.told.lock().unwrap().mood = mood;
    }

    pub(crate) fn asked(&self) -> usize {
        self.told.lock().unwrap().asked
    }

    /// As a key's counter goes: what is not higher than anything seen is a replay.
    fn judge(&self, otp: &str) -> &'static str {
        let (id, counter) = (otp[..12].to_owned(), counter_of(otp));
        let mut told = self.told.lock().unwrap();
        let last = told.counters.entry(id).or_default();
        if counter <= *last {
            return "REPLAYED_OTP";
        }
        *last = counter;
        "OK"
    }
}

const MODHEX: &[u8; 16] = b"cbdefghijklnrtuv";

/// A password of the key with this id; the counter stands in it unencrypted.
pub(crate) fn password(id: &str, counter: u32) -> String {
    let digits = (0..32).map(|place| match place {
        24..=31 => MODHEX[(counter >> (4 * (31 - place)) & 15) as usize],
        _ => b'c',
    });
    format!("{id}{}", String::from_utf8(digits.collect()).unwrap())
}

fn counter_of(otp: &str) -> u32 {
    otp[36..].bytes().fold(0, |counter, letter| {
        let digit = MODHEX.iter().position(|known| *known == letter).unwrap();
        counter * 16 + u32::try_from(digit).unwrap()
    })
}

fn signature(fields: &BTreeMap<String, String>) -> String {
    let pairs = fields.iter().filter(|(name, _)| *name != "h");
    let pairs: Vec<String> = pairs
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut mac = Hmac::<Sha1>::new_from_slice(KEY).unwrap();
    mac.update(pairs.join("&").as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

async fn verify(
    State(server): State<ValidationServer>,
    Query(asked): Query<BTreeMap<String, String>>,
) -> Response {
    let mood = {
        let mut told = server.told.lock().unwrap();
        told.asked += 1;
        told.mood
    };
    if mood == Mood::HttpError {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if mood == Mood::Garbage {
        return "status=OK".into_response();
    }
    if mood == Mood::Redirect {
        return axum::response::Redirect::temporary(&server.url).into_response();
    }
    if mood == Mood::Silent {
        std::future::pending::<()>().await;
    }
    let otp = asked["otp"].clone();
    let status = if asked["id"] != CLIENT {
        "NO_SUCH_CLIENT"
    } else if asked.get("h") != Some(&signature(&asked)) {
        "BAD_SIGNATURE"
    } else if let Mood::Status(status) = mood {
        status
    } else {
        server.judge(&otp)
    };
    let mut fields = BTreeMap::from([
        ("t".to_owned(), "2026-01-01T00:00:00Z0000".to_owned()),
        ("otp".to_owned(), otp),
        ("nonce".to_owned(), asked["nonce"].clone()),
        ("sl".to_owned(), "100".to_owned()),
        ("status".to_owned(), status.to_owned()),
    ]);
    if mood == Mood::WrongNonce {
        fields.insert("nonce".to_owned(), "n".repeat(40));
    }
    if mood == Mood::OtherPassword {
        fields.insert("otp".to_owned(), password("cccccccccccb", 1));
    }
    if mood == Mood::NoNonce {
        fields.remove("nonce");
    }
    if mood == Mood::NoPassword {
        fields.remove("otp");
    }
    let mut signed = signature(&fields);
    if mood == Mood::WrongSignature {
        signed = STANDARD.encode([7; 20]);
    }
    if mood != Mood::NoSignature {
        fields.insert("h".to_owned(), signed);
    }
    let lines = fields
        .iter()
        .map(|(name, value)| format!("{name}={value}\r\n"));
    lines.collect::<String>().into_response()
}
