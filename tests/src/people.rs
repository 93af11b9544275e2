//! Many people at once: hosts that know a crowd without having a directory, and directories with
//! more people than could be added one by one.

use crate::command::{OrFail, run};
use crate::directory::Directory;
use crate::host::Host;
use identity_map::{MapContent, MapGroup, MapUser, MemberPolicy, Owners, write_map};
use posix_names::{Gid, Uid};
use std::collections::BTreeSet;
use std::fs;

/// The id of `person0`; the others follow.
pub const FIRST_PERSON: u32 = 0x7000_0000;
/// The id of `team0`; the others follow.
pub const FIRST_TEAM: u32 = 0x7100_0000;
/// Every person of a crowd is in so many teams.
const TEAMS_OF_ONE: u32 = 5;

/// A map of `person0`, `person1`, ... with their private groups, in `team0`, `team1`, ...
#[must_use]
#[track_caller]
pub fn crowd(people: u32, teams: u32) -> MapContent<'static> {
    let mut members = vec![Vec::new(); usize::try_from(teams).or_fail("count teams")];
    let mut users = Vec::new();
    let mut groups = Vec::new();
    for number in 0..people {
        let name = format!("person{number}");
        let uid = Uid::new(u64::from(FIRST_PERSON + number)).or_fail("number a person");
        let in_teams: BTreeSet<u32> = (0..TEAMS_OF_ONE.min(teams))
            .map(|step| (number + step * 7) % teams)
            .collect();
        for team in &in_teams {
            let list = usize::try_from(*team)
                .ok()
                .and_then(|team| members.get_mut(team));
            list.or_fail("count teams").push(name.clone().into());
        }
        groups.push(MapGroup {
            name: name.clone().into(),
            gid: uid.private_group(),
            members: Vec::new(),
        });
        users.push(MapUser {
            uid,
            gid: uid.private_group(),
            gecos: format!("Person {number}").into(),
            home: format!("/home/{name}").into(),
            shell: "/bin/bash".into(),
            groups: in_teams.into_iter().map(team_id).collect(),
            name: name.into(),
        });
    }
    for (team, members) in (0..teams).zip(members) {
        groups.push(MapGroup {
            name: format!("team{team}").into(),
            gid: team_id(team),
            members,
        });
    }
    MapContent {
        version: 1,
        issued_at_ms: 1_790_000_000_000,
        enumerate: true,
        member_policy: MemberPolicy::All,
        owners: Owners::Ids,
        users,
        groups,
    }
}

fn team_id(team: u32) -> Gid {
    Gid::new(u64::from(FIRST_TEAM + team)).or_fail("number a team")
}

impl Host {
    /// Puts a map where the cacher would, whole, by rename.
    #[track_caller]
    pub fn publish(&self, content: &MapContent<'_>) {
        let bytes = write_map(content).or_fail("write a map");
        let source = self.folder().join("map");
        fs::write(&source, bytes).or_fail("write a map for a host");
        self.copy_in(&source, "/run/cloudid/new.map", 0o644);
        self.ok(
            "chown cloudid:cloudid /run/cloudid /run/cloudid/new.map && \
             mv /run/cloudid/new.map /run/cloudid/identity.map",
        );
    }

    /// Installs the module alone: names come from the files of the host, then from a map.
    #[track_caller]
    pub fn install_names_only(&self) {
        self.install();
        self.ok("sed -i -E 's/^(passwd|group):.*/\\1: files cloudid/' /etc/nsswitch.conf");
    }
}

impl Directory {
    /// So many people and Unix groups, written into the storage while the directory is down; all of
    /// them are in the group named.
    #[track_caller]
    pub fn add_crowd(&self, people: u32, teams: u32, group: &str) {
        self.kill();
        let script = CROWD
            .replace("{PEOPLE}", &people.to_string())
            .replace("{TEAMS}", &teams.to_string())
            .replace("{FIRST_PERSON}", &FIRST_PERSON.to_string())
            .replace("{FIRST_TEAM}", &FIRST_TEAM.to_string())
            .replace("{GROUP}", group);
        run("sqlite3", &[self.storage().display().to_string(), script]);
        self.start();
    }
}

/// Like alice and like the group: whatever else a row has to say is copied from theirs.
const CROWD: &str = "
PRAGMA foreign_keys = ON;
BEGIN;
CREATE TEMP TABLE person AS
  WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {PEOPLE})
  SELECT i, printf('usr_%032x', i) AS id FROM n;
CREATE TEMP TABLE team AS
  WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {TEAMS})
  SELECT i, printf('grp_%032x', i) AS id FROM n;
INSERT INTO unix_ids (id, owner) SELECT {FIRST_PERSON} + i, id FROM person;
INSERT INTO unix_ids (id, owner) SELECT {FIRST_TEAM} + i, id FROM team;
INSERT INTO names (space, folded, owner)
  SELECT (SELECT space FROM names WHERE folded = 'alice'), 'person' || i, id FROM person;
INSERT INTO names (space, folded, owner)
  SELECT (SELECT space FROM names WHERE folded = 'alice'), 'team' || i, id FROM team;
CREATE TEMP TABLE one AS SELECT * FROM users WHERE username = 'alice';
INSERT INTO users (id, username, uid, state, display_name, email, description, home, shell, labels,
    failed_logins, password_verifier, password_set_at, password_must_change, created_at,
    created_by, updated_at, version)
  SELECT person.id, 'person' || i, {FIRST_PERSON} + i, state, 'Person ' || i, email, description,
    home, shell, labels, 0, password_verifier, password_set_at, 0, created_at, created_by,
    updated_at, 1 FROM person, one;
CREATE TEMP TABLE model AS SELECT * FROM groups WHERE name = '{GROUP}';
INSERT INTO groups (id, name, description, unix, gid, created_at, created_by, updated_at, version)
  SELECT team.id, 'team' || i, '', 1, {FIRST_TEAM} + i, created_at, created_by, updated_at, 1
  FROM team, model;
INSERT INTO group_users (group_id, user_id) SELECT model.id, person.id FROM model, person;
INSERT OR IGNORE INTO group_users (group_id, user_id)
  SELECT team.id, person.id FROM person
  JOIN (SELECT 0 AS s UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4)
  JOIN team ON team.i = (person.i + s * 7) % {TEAMS};
COMMIT;
";
