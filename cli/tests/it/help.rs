//! Help, completions and man pages.

use crate::person::Person;

#[test]
fn cli_07_help_tells_verbs_options_and_exit_codes() {
    let ended = Person::new().types(&["--help"]);
    assert_eq!(ended.code, 0);
    insta::assert_snapshot!(ended.output);
}

#[test]
fn cli_07_help_of_a_noun_lists_its_verbs() {
    let ended = Person::new().types(&["user", "--help"]);
    insta::assert_snapshot!(ended.output);
}

#[test]
fn cli_07_help_of_second_factors_tells_how_to_enrol_one() {
    let person = Person::new();
    let told = [
        &["mfa", "--help"][..],
        &["mfa", "enroll", "totp", "--help"],
        &["backup-codes", "new", "--help"],
    ];
    let told = told.map(|words| person.types(words).output);
    insta::assert_snapshot!(told.join("---\n"));
}

#[test]
fn cli_07_help_of_enrolment_tells_every_option() {
    let ended = Person::new().types(&["enroll", "--help"]);
    insta::assert_snapshot!(ended.output);
}

#[test]
fn cli_07_help_of_tokens_and_roles_has_examples() {
    let person = Person::new();
    let told = [&["api-token", "add", "--help"], &["admin", "add", "--help"]]
        .map(|words| person.types(words).output);
    insta::assert_snapshot!(told.join("---\n"));
}

#[test]
fn cli_07_help_of_policies_tells_every_field() {
    let ended = Person::new().types(&["policy", "add", "--help"]);
    insta::assert_snapshot!(ended.output);
}

#[test]
fn cli_07_topics_tell_what_concerns_every_verb() {
    let person = Person::new();
    let mut told = person.types(&["help", "topics"]).output;
    for topic in ["exit-codes", "output", "files", "times"] {
        assert!(told.contains(topic), "{topic}");
        let ended = person.types(&["help", topic]);
        assert_eq!(ended.code, 0, "{topic}");
        told.push_str(&format!("--- {topic}\n{}", ended.output));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn cli_07_help_of_a_verb_is_the_same_by_word_and_by_option() {
    let person = Person::new();
    for words in [&["user"][..], &["rule", "access", "add"], &["who-can"]] {
        let by_word = person.types(&[&["help"], words].concat());
        let by_option = person.types(&[words, &["--help"]].concat());
        assert_eq!(by_word.output, by_option.output, "{words:?}");
        assert_eq!(by_word.code, 0, "{words:?}");
    }
    assert_eq!(person.types(&["help", "nothing"]).code, 2);
}

#[test]
fn cli_07_completions_and_man_pages_come_from_the_same_definition() {
    let person = Person::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = person.types(&["completions", shell]).output;
        assert!(script.contains("host-status"), "{shell}");
    }
    let folder = person.path("man");
    std::fs::create_dir(&folder).unwrap();
    assert_eq!(person.types(&["man", folder.to_str().unwrap()]).code, 0);
    let page = std::fs::read_to_string(folder.join("cloudid-rule-access-add.1")).unwrap();
    assert!(page.contains("SELECTOR"));
}

#[test]
fn usage_errors_exit_with_2_and_name_what_is_wrong() {
    let person = Person::new();
    for (arguments, named) in [
        (&["user", "ad", "alice"][..], "add"),
        (&["user", "add", "root"], "root"),
        (&["user", "add", "alice", "--uid", "0"], "uid"),
        (
            &["rule", "access", "add", "x", "--on", "env=prod"],
            "--group",
        ),
        (&["user", "list", "-o", "xml"], "ndjson"),
        (&["user", "list", "--timeout", "10"], "10m"),
        (&["token", "add", "--project", "web"], "--secret-to"),
        (
            &["api-token", "add", "ci", "--scope", "x"],
            "enrollment-tokens",
        ),
        (&["api-token", "add", "ci", "--dry-run"], "--scope"),
        (
            &["admin", "add", "bob", "--role", "root"],
            "directory-admin",
        ),
        (
            &[
                "login",
                "--url",
                "http://id.example.org",
                "--username",
                "a",
                "--password-file",
                "/dev/null",
            ],
            "https://HOST",
        ),
    ] {
        let ended = person.types(arguments);
        assert_eq!(ended.code, 2, "{arguments:?}");
        assert!(
            ended.errors.contains(named),
            "{arguments:?}: {}",
            ended.errors
        );
        assert_eq!(ended.output, "");
    }
}
