//! A server that speaks TLS with a CA of its own and gives prepared answers: enough to see what the
//! program asks and how it takes what it hears. What a directory decides is tested with a real one.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Answers a request with status, headers and body.
pub(crate) type Answering = fn(&Asked) -> (u16, &'static str, String);

/// What everybody gets who signs in.
const SESSION: &str = r#"{"token":"s3cret","expires_at":"2999-01-01T00:00:00.000Z",
    "idle_seconds":1800,"must_change_password":false,
    "identity":{"user_id":"usr_9","username":"admin","roles":["owner"],
    "expires_at":"2999-01-01T00:00:00.000Z"}}"#;

/// What somebody called careful gets after the right password.
const SECOND_STEP: &str = r#"{"type":"urn:cloudid:problem:mfa_required","title":"mfa required",
    "status":401,"code":"mfa_required","detail":"A code is needed as well.",
    "second_step":{"ticket":"clf_1","kinds":["totp"],"expires_at":"2999-01-01T00:00:00.000Z"}}"#;

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let pair = |line: &'_ String| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value.len())
        };
        self.headers.iter().find_map(|line| {
            let length = pair(line)?;
            line.get(line.len() - length..)
        })
    }
}

pub(crate) struct Directory {
    pub(crate) url: String,
    pub(crate) ca: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Directory {
    /// Serves until the test ends.
    pub(crate) fn serve(answering: Answering) -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&asked);
        let config = Arc::new(config);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let session = ServerConnection::new(Arc::clone(&config)).unwrap();
                let stream = StreamOwned::new(session, connection.unwrap());
                // A client that does not trust us hangs up in the middle; the next may.
                let _ = answer(stream, answering, &notes);
            }
        });
        Self {
            url,
            ca: made.cert.pem(),
            asked,
        }
    }

    /// What was asked until now, first line only.
    pub(crate) fn lines(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|asked| asked.line.clone()).collect()
    }

    pub(crate) fn last(&self) -> Asked {
        self.asked.lock().unwrap().last().unwrap().clone()
    }
}

fn answer(
    stream: impl Read + Write,
    answering: Answering,
    notes: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        match line.trim_end() {
            "" => break,
            text => lines.push(text.to_owned()),
        }
    }
    let mut asked = Asked {
        line: lines.remove(0),
        headers: lines,
        body: String::new(),
    };
    let length = asked
        .header("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    asked.body = String::from_utf8(body).unwrap();
    let (status, headers, body) = match asked.line.as_str() {
        "POST /api/v1/auth/login HTTP/1.1" if asked.body.contains("careful") => {
            (401, "", SECOND_STEP.to_owned())
        }
        "POST /api/v1/auth/login HTTP/1.1" | "POST /api/v1/auth/mfa HTTP/1.1" => {
            (200, "", SESSION.to_owned())
        }
        _ => answering(&asked),
    };
    notes.lock().unwrap().push(asked);
    let length = body.len();
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )?;
    reader.get_mut().flush()
}
