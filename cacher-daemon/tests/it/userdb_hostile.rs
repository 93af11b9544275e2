//! systemd's user database and clients that mean it no good.

use std::time::Duration;

use cacher_daemon::userdb::{IDLE_TIMEOUT, MESSAGE_BYTES_MAX};
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::lookups::*;
use crate::userdb::{USER, ask, two};
use crate::world::has_root;

#[tokio::test]
async fn pf_02_whoever_does_not_speak_varlink_is_hung_up_on_and_nobody_else_notices() {
    if !has_root() {
        return;
    }
    let lookups = Lookups::new(two()).await;
    let deep = format!(
        "{{\"method\":\"a\",\"parameters\":{{\"a\":{}",
        "[".repeat(60_000)
    );
    let huge = vec![b' '; MESSAGE_BYTES_MAX + 1];
    let broken: [&[u8]; 7] = [
        b"\0",
        b"GET / HTTP/1.1\r\n\r\n\0",
        b"{\"method\":\"a\"}{\0",
        b"{\"method\":\"io.systemd\0.UserDatabase.GetUserRecord\"}\0",
        b"\xff\xfe\0",
        &[deep.as_bytes(), b"\0"].concat(),
        &huge,
    ];
    for bytes in broken {
        let mut stream = lookups.userdb().await;
        // It may hang up before everything is sent.
        let _ = stream.write_all(bytes).await;
        let said = until_hung_up(&mut stream, Duration::from_millis(1500)).await;
        assert!(said.is_empty(), "{:?}", String::from_utf8_lossy(&said));
    }
    let mut half = lookups.userdb().await;
    half.write_all(b"{\"method\":").await.unwrap();
    assert!(
        until_hung_up(&mut half, Duration::from_secs(4))
            .await
            .is_empty()
    );
    let mut stream = lookups.userdb().await;
    let fine = ask(&mut stream, USER, json!({ "userName": "user1" })).await;
    assert_eq!(fine["parameters"]["record"]["uid"], 71_001);
}

#[tokio::test]
async fn pf_03_whoever_asks_and_does_not_read_is_hung_up_on() {
    if !has_root() {
        return;
    }
    let lookups = Lookups::new(two()).await;
    let mut stream = connect_as(STRANGER, &lookups.host.paths.userdb_socket());
    let bytes = b"{\"method\":\"org.varlink.service.GetInfo\"}\0".repeat(100);
    let flood = async { while stream.write_all(&bytes).await.is_ok() {} };
    let ended = tokio::time::timeout(IDLE_TIMEOUT / 2, flood).await;
    assert!(ended.is_ok(), "it took everything");
}

#[tokio::test]
async fn pf_03_one_user_cannot_keep_others_from_the_user_database() {
    if !has_root() {
        return;
    }
    let lookups = Lookups::new(two()).await;
    one_user_cannot_take_all_places(&lookups.host.paths.userdb_socket()).await;
}
