//! The examples for those who install machines with other tools: what can be read is read, and none
//! of them holds a secret.

use system_tests::{EXAMPLES, Host, Lab};

/// Where an example lies on the host, and its text.
const FILES: [(&str, &str); 6] = [
    (
        "cloud-init.yaml",
        include_str!("../../packaging/examples/cloud-init.yaml"),
    ),
    (
        "tasks.yml",
        include_str!("../../packaging/examples/ansible/tasks/main.yml"),
    ),
    (
        "defaults.yml",
        include_str!("../../packaging/examples/ansible/defaults/main.yml"),
    ),
    (
        "recipe.rb",
        include_str!("../../packaging/examples/chef/recipes/default.rb"),
    ),
    (
        "cloudid.pp",
        include_str!("../../packaging/examples/puppet/cloudid.pp"),
    ),
    (
        "main.tf",
        include_str!("../../packaging/examples/terraform/main.tf"),
    ),
];

/// The file that user data writes, as path, owner and mode.
#[track_caller]
fn written_by(host: &Host, user_data: &str) -> String {
    host.write("/root/user-data", user_data);
    host.ok(
        "ruby -ryaml -e 'd = YAML.load_file(\"/root/user-data\")[\"write_files\"]; \
             f = d.fetch(0); print [f[\"path\"], f[\"owner\"], f[\"permissions\"]].join(\" \")'",
    )
}

#[test]
fn examples_can_be_read_by_their_tools_and_hold_no_secret() {
    let lab = Lab::new();
    let host = lab.host_with("web-1", &EXAMPLES);
    for (name, text) in FILES {
        assert!(!text.contains("cloudid1."), "{name} holds a token");
        let path = format!("/root/{name}");
        host.write(&path, text);
        match name.rsplit('.').next() {
            Some("rb") => drop(host.ok(&format!("ruby -c {path}"))),
            Some("pp") => drop(host.ok(&format!("puppet parser validate {path}"))),
            Some("yaml" | "yml") => {
                let read = format!("ruby -ryaml -e 'YAML.load_file(ARGV[0]) or exit 1' {path}");
                let _ = host.ok(&read);
            }
            _ => {}
        }
    }
    let token = "/var/lib/cloudid/enrollment.token root:root 0600";
    assert_eq!(written_by(&host, FILES[0].1), token);
    let terraform = FILES[5].1;
    let user_data = terraform.split("<<-USER_DATA\n").nth(1).unwrap();
    let user_data = user_data.split("  USER_DATA\n").next().unwrap();
    let user_data = user_data.replace("${jsonencode(var.cloudid_token)}", "\"x\"");
    assert_eq!(written_by(&host, &user_data), token);
}
