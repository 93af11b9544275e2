//! A mail relay on this machine that takes everything, and keeps what it took.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Relay {
    pub(crate) url: String,
    taken: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&taken);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, Arc::clone(&kept)));
            }
        });
        Self { url, taken }
    }

    /// Waits until so many letters were taken; all of them, each with its envelope.
    pub(crate) async fn letters(&self, count: usize) -> Vec<String> {
        let enough = async {
            while self.taken.lock().unwrap().len() < count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(20), enough).await;
        let letters = self.taken.lock().unwrap().clone();
        assert!(waited.is_ok(), "{} of {count}: {letters:?}", letters.len());
        letters
    }
}

/// One conversation of RFC 5321, without extensions.
async fn take(stream: TcpStream, kept: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    writing.write_all(b"220 relay\r\n").await.ok()?;
    let mut letter = String::new();
    while let Some(line) = lines.next_line().await.ok()? {
        let answer = match line.split([' ', ':']).next().unwrap_or_default() {
            "DATA" => {
                writing.write_all(b"354 go on\r\n").await.ok()?;
                while let Some(line) = lines.next_line().await.ok()?.filter(|line| line != ".") {
                    letter.push_str(&line);
                    letter.push('\n');
                }
                kept.lock().unwrap().push(std::mem::take(&mut letter));
                "250 taken"
            }
            "QUIT" => "221 bye",
            "RCPT" => {
                letter = format!("{line}\n");
                "250 ok"
            }
            _ => "250 ok",
        };
        writing
            .write_all(format!("{answer}\r\n").as_bytes())
            .await
            .ok()?;
    }
    Some(())
}
