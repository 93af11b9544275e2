//! One identity on two machines is noticed, and the machine that came later must enrol anew. One
//! machine is never taken for two, however often it is started or put back.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use directory_api::agent::{HOST_CLONED, RUN_HEADER};
use directory_server::tls::{PeerCertificate, RemoteAddress};
use tower::ServiceExt;

use crate::agent_world::*;

/// A machine that has the identity of a host: where it is, and the run of its daemon.
struct Machine {
    address: [u8; 4],
    run: String,
}

impl Machine {
    fn at(number: u8) -> Self {
        Self {
            address: [192, 0, 2, number],
            run: format!("{number:032x}"),
        }
    }

    /// The same machine after another start of the daemon.
    fn started(&self, time: u32) -> Self {
        Self {
            address: self.address,
            run: format!("{:016x}{time:016x}", self.address[3]),
        }
    }

    async fn calls(&self, directory: &Directory, host: &Host, path: &str) -> Response {
        let request = Request::builder()
            .uri(format!("/agent/v1/{path}"))
            .header(RUN_HEADER, &self.run)
            .extension(RemoteAddress(SocketAddr::from((self.address, 1))))
            .extension(PeerCertificate(host.certificate.clone()))
            .body(Body::empty())
            .unwrap();
        directory.router().oneshot(request).await.unwrap()
    }

    /// Whether the directory answers it as the host it says it is.
    async fn is_served(&self, directory: &Directory, host: &Host) -> bool {
        let response = self.calls(directory, host, "manifest").await;
        if response.status() == StatusCode::FORBIDDEN {
            assert_eq!(code(response).await, HOST_CLONED);
            return false;
        }
        true
    }
}

const CLONED: &str = "SELECT COUNT(*) FROM events WHERE kind = 'host.cloned'";

#[tokio::test]
async fn syn_25_of_two_machines_with_one_identity_the_later_is_refused_and_enrols_anew() {
    let directory = Directory::new().await;
    let host = directory.host("web-1", "[]").await;
    let (first, second) = (Machine::at(1), Machine::at(2));
    for _ in 0..100 {
        assert!(first.is_served(&directory, &host).await);
    }
    let mut turns = 0;
    while second.is_served(&directory, &host).await {
        assert!(first.is_served(&directory, &host).await, "turn {turns}");
        directory.pass_ms(60_000);
        turns += 1;
        assert!(turns < 10, "nobody noticed");
    }
    assert!(turns >= 2, "a few calls are no proof");

    assert_eq!(directory.count(CLONED).await, 1);
    let told: String = sqlx::query_scalar(
        "SELECT json_extract(body, '$.severity') || ' ' || json_extract(body, '$.details.stays')
           || ' ' || json_extract(body, '$.details.refused')
         FROM events WHERE kind = 'host.cloned'",
    )
    .fetch_one(directory.app.store.read())
    .await
    .unwrap();
    assert_eq!(told, "critical 192.0.2.1 192.0.2.2");

    // for good, whatever it asks, and without another word
    for path in ["manifest", "stream"] {
        let response = second.calls(&directory, &host, path).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
    }
    directory.pass_ms(30 * 86_400_000);
    assert!(!second.is_served(&directory, &host).await);
    assert_eq!(directory.count(CLONED).await, 1);
    // the first goes on, also after a restart
    assert!(first.is_served(&directory, &host).await);
    assert!(first.started(1).is_served(&directory, &host).await);

    let anew = directory.host("web-2", "[]").await;
    assert!(second.started(1).is_served(&directory, &anew).await);
    assert!(first.started(1).is_served(&directory, &host).await);
}

#[tokio::test]
async fn syn_25_starts_and_snapshots_of_one_machine_are_not_two() {
    let directory = Directory::new().await;
    let host = directory.host("web-1", "[]").await;
    let machine = Machine::at(1);
    for time in 0..100 {
        directory.pass_ms(1000);
        assert!(machine.started(time).is_served(&directory, &host).await);
        // a disk that is put back brings a new start; memory that is put back, the same again
        assert!(machine.is_served(&directory, &host).await, "{time}");
    }
    assert_eq!(directory.count("SELECT COUNT(*) FROM host_runs").await, 16);
    // a daemon of an earlier version says no run
    let unsaid = directory.get(&host, "manifest").await;
    assert_ne!(unsaid.status(), StatusCode::FORBIDDEN);
    assert_eq!(directory.count(CLONED).await, 0);
}
