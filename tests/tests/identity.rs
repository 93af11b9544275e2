//! People of the directory, seen through glibc by the programs everybody uses.

use system_tests::{LOCAL_USER, Outcome, Service, Site};

#[test]
fn getent_id_and_ls_show_people_and_groups() {
    let site = Site::new();
    let web = &site.web;
    let record = web.ok("getent passwd alice");
    let fields: Vec<&str> = record.split(':').collect();
    let [name, password, uid, .., home, shell] = fields.as_slice() else {
        panic!("not a passwd line: {record}")
    };
    assert_eq!(
        (*name, *password, *home, *shell),
        ("alice", "x", "/home/alice", "/bin/bash")
    );
    assert!(
        (70_000..100_000).contains(&uid.parse().unwrap()),
        "uid {uid}"
    );

    assert_eq!(web.ok(&format!("getent passwd {uid}")), record);
    assert!(web.ok("getent group web").ends_with(":alice"));
    assert!(web.ok("id alice").contains("(web)"));
    assert_eq!(web.ok("id -u alice"), *uid);
    web.ok("touch /srv/file && chown alice:web /srv/file");
    assert!(web.ok("ls -l /srv/file").contains(" alice web "));
    assert!(
        !web.read("/etc/passwd").contains("alice"),
        "no local account was made"
    );
}

#[test]
fn a_person_has_the_same_ids_on_every_host() {
    let site = Site::new();
    let db = site.lab.host("db-1");
    site.directory.enrol(&db, &["env=dev"]);
    db.until("id alice");
    assert_eq!(db.ok("id alice"), site.web.ok("id alice"));
}

#[test]
fn a_host_knows_only_people_who_can_reach_it() {
    let site = Site::new();
    site.directory.ok(&["group", "add", "elsewhere"]);
    site.directory
        .add_person("mallory", system_tests::PASSWORD, &["elsewhere"]);
    site.directory
        .add_person("bob", system_tests::PASSWORD, &["web"]);
    site.web.until("id bob");
    assert_eq!(
        site.web.run("getent passwd mallory").code,
        2,
        "not found, not an error"
    );
}

#[test]
fn nss_18_lookups_without_the_cacher_give_the_same_answers() {
    let site = Site::new();
    let web = &site.web;
    let uid = web.ok("id -u alice");
    let questions = [
        "getent passwd alice".to_owned(),
        format!("getent passwd {uid}"),
        "getent group web".to_owned(),
        "id alice".to_owned(),
        "getent passwd nobody-knows-me".to_owned(),
        "getent group nobody-knows-me".to_owned(),
        "getent passwd 45000".to_owned(),
        "getent passwd root".to_owned(),
        format!("id {LOCAL_USER}"),
    ];
    let ask = || -> Vec<(i32, String)> {
        let answer = |question: &String| web.run(&format!("timeout 2 {question}"));
        let facts = |Outcome { code, stdout, .. }: Outcome| (code, stdout);
        questions.iter().map(answer).map(facts).collect()
    };
    let usual = ask();
    assert_eq!(usual[4].0, 2, "an unknown name is not found");

    web.hang(Service::Cacher);
    assert_eq!(ask(), usual, "hung");
    web.unhang(Service::Cacher);
    web.crash_again_and_again(Service::Cacher);
    assert_eq!(ask(), usual, "crashing");
    web.start(Service::Cacher);
    web.stop(Service::Cacher);
    assert_eq!(ask(), usual, "absent");
    web.ok("rm -f /run/cloudid/*.sock");
    assert_eq!(ask(), usual, "no socket");
}
