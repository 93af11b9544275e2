//! Owners of files who have no rights here: who they are said to be, and what that costs.

use std::sync::Arc;
use std::time::Duration;

use cacher_daemon::account;
use cacher_daemon::cacher::Cacher;
use cacher_daemon::daemon;
use cacher_daemon::disk::HostDisk;
use directory_api::agent::{OwnersAnswer, OwnersQuestion};
use identity_map::{Map, ReadError};
use local_protocol::{IdQuestion, Login, NameQuestion, Outcome, Owner, Reply};

use crate::directory::{FakeDirectory, Manner};
use crate::world::*;

struct Scene {
    host: TestHost,
    directory: FakeDirectory,
    cacher: Arc<Cacher>,
}

/// Version 1 with user1 is in force and the directory answers; nothing runs in the background.
async fn scene(settings: &str) -> Scene {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    std::fs::write(host.paths.settings(), settings).unwrap();
    let directory = FakeDirectory::start().await;
    directory.certify(&host.paths);
    let bundle = organisation.bundle(1, &slice(vec![person(1)]));
    directory.change(|state| state.bundle = bundle);
    let cacher = host.cacher();
    heard(&cacher).await;
    Scene {
        host,
        directory,
        cacher,
    }
}

impl Scene {
    async fn user(&self, uid: u32) -> Reply {
        let owners = &self.cacher.owners;
        owners.of_id(&self.cacher, IdQuestion::User(uid)).await
    }

    async fn user_named(&self, name: &str) -> Reply {
        let question = NameQuestion::User(name.to_owned());
        self.cacher.owners.of_name(&self.cacher, question).await
    }

    /// The directory's word on these uids, and nobody else.
    fn told(&self, asked: &[u32], users: &[(u32, &str)]) {
        let asked = OwnersQuestion {
            uids: asked.to_vec(),
            ..OwnersQuestion::default()
        };
        let users = users.iter().map(|(uid, name)| (*uid, (*name).to_owned()));
        let answer = OwnersAnswer {
            users: users.collect(),
            groups: Vec::new(),
        };
        self.cacher.owners.take(&asked, &answer, &self.cacher);
    }

    async fn running(&self) -> (Arc<Cacher>, daemon::Running) {
        let (cacher, wishes) = self.host.started(Arc::new(HostDisk));
        let running = daemon::start(&cacher, &self.host.paths, wishes).await;
        until(|| cacher.online()).await;
        (cacher, running.unwrap())
    }

    fn questions(&self) -> usize {
        let requests = self.directory.change(|state| state.requests.clone());
        requests
            .iter()
            .filter(|path| path.ends_with("/owners"))
            .count()
    }
}

fn user(uid: u32, name: &str) -> Reply {
    Reply::Owner(Owner::User {
        name: name.to_owned(),
        uid,
        gid: uid,
    })
}

fn nobody() -> Reply {
    Reply::Owner(Owner::Nobody)
}

fn is_unavailable(reply: &Reply) -> bool {
    matches!(reply, Reply::Unavailable(_))
}

#[tokio::test]
async fn nss_22_only_the_directory_makes_an_id_nobodys_and_only_for_a_while() {
    let scene = scene("").await;
    assert_eq!(scene.user(71_001).await, user(71_001, "user1"));
    assert_eq!(scene.user(1000).await, nobody());
    assert!(is_unavailable(&scene.user(72_000).await));
    // Asked, and not answered: nothing is remembered, however often one asks.
    assert!(scene.cacher.owners.question().uids.contains(&72_000));
    assert!(is_unavailable(&scene.user(72_000).await));
    scene.told(&[72_000, 72_001], &[(72_001, "carol")]);
    assert_eq!(scene.user(72_000).await, nobody());
    assert_eq!(scene.user(72_001).await, user(72_001, "carol"));
    scene.host.clock.pass(Duration::from_secs(16));
    assert!(is_unavailable(&scene.user(72_000).await));
    assert_eq!(scene.user(72_001).await, user(72_001, "carol"));
}

#[tokio::test]
async fn a_known_owner_is_asked_about_again_after_a_day_and_answered_meanwhile() {
    let scene = scene("").await;
    scene.told(&[72_001], &[(72_001, "carol")]);
    assert_eq!(scene.user(72_001).await, user(72_001, "carol"));
    assert_eq!(scene.cacher.owners.question(), OwnersQuestion::default());
    scene.host.clock.pass(Duration::from_secs(25 * 3600));
    assert_eq!(scene.user(72_001).await, user(72_001, "carol"));
    assert!(scene.cacher.owners.question().uids.contains(&72_001));
}

#[tokio::test]
async fn an_answer_that_comes_in_time_is_the_answer_of_the_lookup_that_asked() {
    let scene = scene("").await;
    let directory = async {
        loop {
            let question = scene.cacher.owners.question();
            if question != OwnersQuestion::default() {
                return scene.told(&question.uids, &[(72_001, "carol")]);
            }
            tokio::task::yield_now().await;
        }
    };
    let (reply, ()) = tokio::join!(scene.user(72_001), directory);
    assert_eq!(reply, user(72_001, "carol"));
    // Its neighbours were asked about with it.
    assert_eq!(scene.user(72_002).await, nobody());
}

#[tokio::test]
async fn what_no_host_accepts_is_not_believed() {
    let scene = scene("").await;
    scene.told(
        &[72_001, 72_002, 72_003],
        &[
            (72_001, "root"),
            (72_002, "a:b"),
            (0, "carol"),
            (72_003, ""),
        ],
    );
    for uid in [72_001, 72_002, 72_003, 0] {
        assert_eq!(scene.user(uid).await, nobody(), "{uid}");
    }
}

#[tokio::test]
async fn nss_22_ten_thousand_unknown_owners_cost_few_questions_while_the_directory_fails() {
    let scene = scene("").await;
    let (cacher, _running) = scene.running().await;
    scene.directory.change(|state| {
        state.only = "/owners";
        state.manner = Manner::Always(500, "{}");
    });
    // With a wait for each this would take 400 seconds.
    let all = async {
        for uid in 80_000..90_000 {
            let reply = cacher.owners.of_id(&cacher, IdQuestion::User(uid)).await;
            assert!(is_unavailable(&reply), "{uid}: {reply:?}");
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(20), all).await;
    assert!(in_time.is_ok());
    assert!(scene.questions() <= 10, "{} questions", scene.questions());
}

#[tokio::test]
async fn two_thousand_owners_are_learned_with_few_questions() {
    let scene = scene("").await;
    let everybody: Vec<_> = (80_000..82_000)
        .map(|uid| (uid, format!("u{uid}")))
        .collect();
    scene.directory.change(|state| {
        state.owners = serde_json::json!({"users": everybody, "groups": []});
    });
    let (cacher, _running) = scene.running().await;
    let all = async {
        for (uid, name) in &everybody {
            while cacher.owners.of_id(&cacher, IdQuestion::User(*uid)).await != user(*uid, name) {
                // Slow this time, as a busy machine may be: the outage is over for the test's clock.
                scene.host.clock.pass(Duration::from_secs(3));
                tokio::task::yield_now().await;
            }
        }
    };
    let in_time = tokio::time::timeout(Duration::from_secs(60), all).await;
    assert!(in_time.is_ok());
    assert!(scene.questions() <= 25, "{} questions", scene.questions());
}

#[tokio::test]
async fn nss_22_a_stranger_is_in_the_next_map_without_rights_and_still_after_a_restart() {
    let scene = scene("").await;
    scene.told(&[72_001, 72_002], &[(72_001, "carol"), (72_002, "dave")]);
    assert_eq!(scene.user(72_001).await, user(72_001, "carol"));
    scene.cacher.publish_strangers().await;
    let bytes = scene.host.map_bytes();
    let map = Map::open(bytes.as_slice(), bytes.len() as u64).unwrap();
    let mut buffer = vec![0; 4096];
    assert!(map.user_by_name(b"carol", &mut buffer).unwrap().is_some());
    assert!(String::from_utf8_lossy(&buffer).contains("/usr/sbin/nologin"));
    // Nobody here has met dave: his name came along, and is nobody's business.
    assert!(map.user_by_id(72_002, &mut buffer).unwrap().is_none());
    let login = Login {
        user: "carol".to_owned(),
        ..Login::default()
    };
    let verdict = account::decide(&scene.cacher, &login).await;
    assert_eq!(verdict.outcome, Outcome::Denied);
    let next = scene.host.cacher();
    next.apply().await;
    assert_eq!(scene.host.map_bytes(), bytes);
}

#[tokio::test]
async fn strangers_have_groups_of_their_own_and_a_clash_among_them_stops_no_map() {
    let scene = scene("").await;
    let told = [(72_001, "carol"), (72_002, "carol"), (72_003, "user1")];
    scene.told(&[72_001, 72_002, 72_003], &told);
    for (uid, _) in told {
        scene.user(uid).await;
    }
    scene.cacher.publish_strangers().await;
    let bytes = scene.host.map_bytes();
    let map = Map::open(bytes.as_slice(), bytes.len() as u64).unwrap();
    let mut buffer = vec![0; 4096];
    assert!(map.user_by_id(71_001, &mut buffer).unwrap().is_some());
    let mut carols = 0;
    for uid in [72_001, 72_002] {
        let user = map.user_by_id(uid, &mut buffer).unwrap().is_some();
        let group = map.group_by_id(uid, |_| Ok::<_, ReadError>(()));
        let group = group.unwrap().is_some();
        assert_eq!(user, group, "{uid} has its group");
        carols += u32::from(user);
    }
    assert_eq!(carols, 1);
    assert!(map.user_by_id(72_003, &mut buffer).unwrap().is_none());
}

#[tokio::test]
async fn names_are_asked_about_only_where_the_host_says_so() {
    let scene_of_ids = scene("").await;
    assert_eq!(scene_of_ids.user_named("carol").await, nobody());
    let scene_of_all = scene("[nss]\nowners = \"all\"\n").await;
    assert_eq!(
        scene_of_all.user_named("user1").await,
        user(71_001, "user1")
    );
    assert_eq!(scene_of_all.user_named("not a name").await, nobody());
    assert!(is_unavailable(&scene_of_all.user_named("carol").await));
    let question = scene_of_all.cacher.owners.question();
    assert_eq!(question.user_names, ["carol"]);
    let answer = OwnersAnswer {
        users: vec![(72_001, "carol".to_owned())],
        groups: Vec::new(),
    };
    let owners = &scene_of_all.cacher.owners;
    owners.take(&question, &answer, &scene_of_all.cacher);
    assert_eq!(
        scene_of_all.user_named("carol").await,
        user(72_001, "carol")
    );
    assert_eq!(owners.strangers(identity_map::Owners::All).users.len(), 1);
}

#[tokio::test]
async fn with_owners_off_nobody_is_asked_about_and_no_stranger_is_in_the_map() {
    let scene = scene("[nss]\nowners = \"off\"\n").await;
    assert_eq!(scene.user(72_001).await, nobody());
    assert_eq!(scene.cacher.owners.question(), OwnersQuestion::default());
    scene.told(&[72_001], &[(72_001, "carol")]);
    scene.cacher.publish_strangers().await;
    let map = scene.host.map_bytes();
    assert!(!String::from_utf8_lossy(&map).contains("carol"));
}
