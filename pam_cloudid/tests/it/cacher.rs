//! A cacher that follows a script, on a socket of its own.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use local_protocol::{HEADER_BYTES, Outcome, Prompt, Reply, Request, body_length, decode, encode};
use tempfile::TempDir;
use zeroize::Zeroizing;

pub(crate) struct Cacher {
    folder: TempDir,
    asked: Receiver<Request>,
    thread: Option<JoinHandle<()>>,
}

impl Cacher {
    /// Answers each request as `script` says; `None` hangs up.
    pub(crate) fn new(
        mut script: impl FnMut(&Request) -> Option<Vec<Reply>> + Send + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("pam.sock")).unwrap();
        let (tell, asked) = channel();
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                while let Some(request) = next_request(&mut stream) {
                    if tell.send(request.clone()).is_err() {
                        return;
                    }
                    let Some(replies) = script(&request) else {
                        break;
                    };
                    for reply in replies {
                        // The module hangs up as soon as it has its outcome.
                        if stream.write_all(&encode(&reply).unwrap()).is_err() {
                            break;
                        }
                    }
                }
            }
        });
        Self {
            folder,
            asked,
            thread: Some(thread),
        }
    }

    /// Accepts connections, and never says a word.
    pub(crate) fn hung() -> Self {
        Self::new(|_| Some(Vec::new()))
    }

    /// Asks for a password and lets in who knows it, for every purpose.
    pub(crate) fn with_password(password: &[u8]) -> Self {
        let password = Zeroizing::new(password.to_vec());
        Self::new(move |request| {
            Some(vec![match request {
                Request::Begin(_) => hidden("Password: "),
                Request::Answer(answer) if answer.expose() == password.as_slice() => {
                    Reply::Done(Outcome::Allowed)
                }
                Request::Answer(_) => Reply::Done(Outcome::WrongAnswer),
                _ => Reply::Done(Outcome::Allowed),
            }])
        })
    }

    /// Says the same to everything.
    pub(crate) fn that_says(replies: Vec<Reply>) -> Self {
        Self::new(move |_| Some(replies.clone()))
    }

    /// The option that points the module here.
    pub(crate) fn option(&self) -> String {
        format!("socket={}/pam.sock", self.folder.path().display())
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// What was asked up to now.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.try_iter().collect()
    }
}

impl Drop for Cacher {
    fn drop(&mut self) {
        // Ends the thread: a request nobody listens to any more.
        let (_, nobody) = channel();
        self.asked = nobody;
        let socket = self.folder.path().join("pam.sock");
        if let Ok(mut stream) = UnixStream::connect(socket) {
            let _ = stream.write_all(&encode(&Request::Status).unwrap());
        }
        let ended = self.thread.take().unwrap().join();
        assert!(
            ended.is_ok() || std::thread::panicking(),
            "the cacher failed"
        );
    }
}

pub(crate) fn hidden(text: &str) -> Reply {
    Reply::Prompt(Prompt {
        text: text.to_owned(),
        echo: false,
    })
}

fn next_request(stream: &mut UnixStream) -> Option<Request> {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).ok()?;
    let mut body = Zeroizing::new(vec![0; body_length(header).unwrap()]);
    stream.read_exact(&mut body).ok()?;
    Some(decode(&body).unwrap())
}
