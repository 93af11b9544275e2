//! Settings as they are read, and as they are refused.

use super::*;

#[test]
fn an_empty_file_gives_the_documented_defaults() {
    let config = Config::parse("x", "").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.offline.max_age, Duration::from_secs(168 * 3600));
    assert_eq!(config.pam.home_umask, 0o077);
}

#[test]
fn all_problems_are_told_at_once_and_near_keys_proposed() {
    let text = "[directory]\npol_interval = \"60s\"\nurl = [\"http://x\"]\n[pam]\nfail_delay = 2\n[nonsense]\nx = 1\n";
    let problems = Config::parse("cloudid.toml", text).unwrap_err().0;
    assert_eq!(problems.len(), 4, "{problems:#?}");
    let all = problems.join("\n");
    assert!(
        all.contains("did you mean directory.poll_interval?"),
        "{all}"
    );
    assert!(all.contains("https://"), "{all}");
    assert!(
        all.contains("pam.fail_delay = 2 must be a duration"),
        "{all}"
    );
    assert!(all.contains("no setting nonsense.x"), "{all}");
}

#[test]
fn what_is_printed_can_be_read_back() {
    let text = "[directory]\nurl = [\"https://d.example\"]\n[events]\nspool_reserve = \"1KiB\"\n";
    let config = Config::parse("x", text).unwrap();
    assert_eq!(
        Config::parse("printed", &config.to_string()).unwrap(),
        config
    );
}

#[test]
fn a_drop_in_wins_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    std::fs::create_dir_all(paths.drop_ins()).unwrap();
    std::fs::write(
        paths.settings(),
        "[nss]\nenumerate = false\nlru_entries = 7\n",
    )
    .unwrap();
    std::fs::write(
        paths.drop_ins().join("20-x.toml"),
        "[nss]\nenumerate = true\n",
    )
    .unwrap();
    std::fs::write(paths.drop_ins().join("ignored.txt"), "nonsense").unwrap();
    let config = Config::load(&paths).unwrap();
    assert!(config.nss.enumerate);
    assert_eq!(config.nss.lru_entries, 7);
}

#[test]
fn the_sample_names_every_key_with_its_default() {
    let sample = include_str!("../../../packaging/examples/cloudid.toml");
    let config = Config::parse("packaging/examples/cloudid.toml", sample).unwrap();
    assert_eq!(config, Config::default());
    let keys = |text: &str| {
        let table: Table = toml::from_str(text).unwrap();
        let section = |(name, value): (&String, &toml::Value)| {
            let keys = value.as_table().unwrap().keys();
            keys.map(|key| format!("{name}.{key}")).collect::<Vec<_>>()
        };
        table.iter().flat_map(section).collect::<Vec<_>>()
    };
    assert_eq!(keys(sample), keys(&config.to_string()));
}

#[test]
fn a_pause_longer_than_a_module_waits_is_refused() {
    let parse = |delay: &str| Config::parse("x", &format!("[pam]\nfail_delay = \"{delay}\"\n"));
    assert!(parse("8s").is_ok());
    for delay in ["8001ms", "9s", "1m", "0s"] {
        assert!(parse(delay).is_err(), "{delay}");
    }
}

#[test]
fn what_may_be_asked_and_listed_is_named_and_other_words_are_refused_with_those_allowed() {
    let text = "[nss]\nowners = \"all\"\nmembers = \"here\"\nmemory_file = false\n";
    let config = Config::parse("x", text).unwrap();
    assert_eq!(config.nss.owners, Owners::All);
    assert_eq!(config.nss.members, Members::Here);
    assert!(!config.nss.memory_file);
    assert_eq!(Config::default().nss.owners, Owners::Ids);
    assert_eq!(Config::default().nss.members, Members::All);
    let text = "[nss]\nowners = \"names\"\nmembers = true\n";
    let problems = Config::parse("x", text).unwrap_err().to_string();
    assert!(
        problems.contains("nss.owners = \"names\" must be one of ids, off, all"),
        "{problems}"
    );
    assert!(
        problems.contains("nss.members = true must be one of all, here, none"),
        "{problems}"
    );
}

#[test]
fn a_host_asks_for_codes_in_more_services_than_usual_and_never_in_fewer() {
    let parse = |list: &str| Config::parse("x", &format!("[pam]\nservices_without_mfa = {list}\n"));
    let fewer = parse("[\"cron\"]").unwrap();
    assert_eq!(fewer.pam.services_without_mfa, ["cron"]);
    assert!(parse("[]").unwrap().pam.services_without_mfa.is_empty());
    let problem = parse("[\"cron\", \"sshd\"]").unwrap_err().to_string();
    assert!(
        problem.contains("nothing but cron, crond, atd, systemd-user"),
        "{problem}"
    );
}

/// A host with these settings and what it kept of a start before.
fn host_with(settings: &str, kept: Option<&str>) -> (tempfile::TempDir, Paths) {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::below(folder.path());
    std::fs::create_dir_all(&paths.config).unwrap();
    std::fs::create_dir_all(&paths.state).unwrap();
    std::fs::write(paths.settings(), settings).unwrap();
    if let Some(kept) = kept {
        std::fs::write(paths.state.join("settings.toml"), kept).unwrap();
    }
    (folder, paths)
}

#[test]
fn upg_06_a_start_with_wrong_files_goes_by_the_last_settings_that_were_good() {
    let strict = "[offline]\nmfa = \"deny\"\nhorizon = \"1h\"\n";
    let (_folder, paths) = host_with(strict, None);
    let (config, problems) = Config::to_start_with(&paths).unwrap();
    assert_eq!(problems, None);
    config.keep(&crate::disk::HostDisk, &paths).unwrap();

    let slip = "[offline]\nmfa = \"denny\"\n[pam]\ntrust_me = true\n";
    std::fs::write(paths.settings(), slip).unwrap();
    let (started, problems) = Config::to_start_with(&paths).unwrap();
    assert_eq!(started, config, "nothing is allowed that was not");
    let told = problems.unwrap().to_string();
    assert!(told.contains("no setting pam.trust_me"), "{told}");
    assert!(told.contains("offline.mfa = \"denny\""), "{told}");
}

#[test]
fn upg_06_kept_settings_of_another_version_count_as_far_as_they_are_known() {
    let retired = "[pam]\ntrust_me = true\n";
    let kept = "[pam]\ntrust_me = true\n[nss]\nenumerate = true\nlru_entries = 0\n";
    let (_folder, paths) = host_with(retired, Some(kept));
    let (started, problems) = Config::to_start_with(&paths).unwrap();
    assert!(started.nss.enumerate);
    assert_eq!(started.nss.lru_entries, Config::default().nss.lru_entries);
    assert!(problems.unwrap().to_string().contains("pam.trust_me"));
}

#[test]
fn wrong_files_without_good_settings_before_are_no_settings() {
    let slip = "[offline]\nmfa = \"denny\"\n";
    for kept in [None, Some(""), Some("[[["), Some("x = 1\n")] {
        let (_folder, paths) = host_with(slip, kept);
        let refused = Config::to_start_with(&paths).unwrap_err();
        assert!(refused.to_string().contains("denny"), "{kept:?}");
    }
}
