//! The people as the peers read them: `passwd` and `group`, the same with libnss-cache's indexes,
//! entries for an LDAP server, and lists of the names and ids that are asked for.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::Failure;
use crate::population::{PRIMARY_GROUP_ID, Population};

/// Added to a name, nobody has it.
const NOBODY: &str = "nouser-";
/// Below all ids of the directory, above those of a small system.
const FIRST_FOREIGN_ID: u32 = 20_000;
const FOREIGN: usize = 64;
const LDAP_ROOT: &str = "dn: dc=bench
objectClass: dcObject
objectClass: organization
o: bench
dc: bench

dn: ou=people,dc=bench
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=bench
objectClass: organizationalUnit
ou: groups

";

/// Writes everything below `folder`.
pub(crate) fn write(population: &Population, folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder)?;
    let (passwd, group) = (passwd(population), group(population));
    fs::write(folder.join("passwd"), &passwd)?;
    fs::write(folder.join("group"), &group)?;
    // libnss-cache wants indexes no older than the text.
    fs::write(folder.join("passwd.cache"), &passwd)?;
    fs::write(folder.join("group.cache"), &group)?;
    fs::write(folder.join("passwd.cache.ixname"), index(&passwd, 0))?;
    fs::write(folder.join("passwd.cache.ixuid"), index(&passwd, 2))?;
    fs::write(folder.join("group.cache.ixname"), index(&group, 0))?;
    fs::write(folder.join("group.cache.ixgid"), index(&group, 2))?;
    fs::write(folder.join("ldif"), ldif(population))?;
    write_lists(population, folder)
}

fn passwd(population: &Population) -> String {
    let mut text = String::new();
    for user in &population.users {
        let (name, id, comment, home) = (&user.name, user.id, &user.comment, user.home());
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{name}:x:{id}:{PRIMARY_GROUP_ID}:{comment}:{home}:/bin/bash"
        );
    }
    text
}

fn group(population: &Population) -> String {
    let mut text = String::new();
    for group in &population.groups {
        let members = group.members.iter();
        let names: Vec<&str> = members
            .filter_map(|place| Some(population.users.get(*place)?.name.as_str()))
            .collect();
        let _ = writeln!(text, "{}:x:{}:{}", group.name, group.id, names.join(","));
    }
    text
}

/// Entries of RFC 2307, which SSSD reads.
fn ldif(population: &Population) -> String {
    let mut text = String::from(LDAP_ROOT);
    for user in &population.users {
        let (name, id, comment, home) = (&user.name, user.id, &user.comment, user.home());
        let _ = writeln!(
            text,
            "dn: uid={name},ou=people,dc=bench\nobjectClass: account\nobjectClass: posixAccount\n\
             uid: {name}\ncn: {comment}\ngecos: {comment}\nuidNumber: {id}\n\
             gidNumber: {PRIMARY_GROUP_ID}\nhomeDirectory: {home}\nloginShell: /bin/bash\n"
        );
    }
    for group in &population.groups {
        let (name, id) = (&group.name, group.id);
        let _ = writeln!(
            text,
            "dn: cn={name},ou=groups,dc=bench\nobjectClass: posixGroup\ncn: {name}\ngidNumber: {id}"
        );
        let members = group.members.iter();
        for member in members.filter_map(|place| population.users.get(*place)) {
            let _ = writeln!(text, "memberUid: {}", member.name);
        }
        text.push('\n');
    }
    text
}

/// Lines of one width, sorted by the field: the field, NUL, where its record begins, NULs.
fn index(text: &str, field: usize) -> Vec<u8> {
    let mut places = Vec::new();
    let mut offset = 0;
    for line in text.lines() {
        let key = line.split(':').nth(field).unwrap_or_default();
        places.push((key, offset));
        offset += line.len() + 1;
    }
    places.sort_unstable();
    let longest = places.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let width = longest + 11;
    let mut bytes = Vec::with_capacity(places.len() * (width + 1));
    for (key, offset) in places {
        let begins = bytes.len();
        bytes.extend_from_slice(format!("{key}\0{offset:08}").as_bytes());
        bytes.resize(begins + width, 0);
        bytes.push(b'\n');
    }
    bytes
}

fn write_lists(population: &Population, folder: &Path) -> Result<(), Failure> {
    let users = population.shuffled();
    let groups = population.shuffled_small_groups();
    let names = || users.iter().map(|user| user.name.clone());
    let of_size = |many: bool| {
        let wanted = move |groups: usize, is_many: bool| is_many == many && (many || groups == 5);
        let chosen = users
            .iter()
            .filter(move |user| wanted(user.groups.len(), user.is_in_many()));
        chosen.map(|user| user.name.clone()).collect::<Vec<_>>()
    };
    let large = population.large_group().map(|group| group.name.clone());
    let lists: [(&str, Vec<String>); 9] = [
        ("names", names().collect()),
        (
            "ids",
            users.iter().map(|user| user.id.to_string()).collect(),
        ),
        (
            "no-names",
            names().map(|name| format!("{NOBODY}{name}")).collect(),
        ),
        (
            "no-ids",
            (FIRST_FOREIGN_ID..)
                .take(FOREIGN)
                .map(|id| id.to_string())
                .collect(),
        ),
        (
            "group-names",
            groups.iter().map(|group| group.name.clone()).collect(),
        ),
        (
            "group-ids",
            groups.iter().map(|group| group.id.to_string()).collect(),
        ),
        ("large-group", large.into_iter().collect()),
        ("in-5-groups", of_size(false)),
        ("in-50-groups", of_size(true)),
    ];
    for (name, lines) in lists {
        fs::write(folder.join(name), lines.join("\n") + "\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_sorted_and_points_to_the_records() {
        let text = "zoe:x:7:\nada:x:12:\n";
        let index = index(text, 0);
        assert_eq!(index, b"ada\x0000000009\0\0\nzoe\x0000000000\0\0\n");
    }
}
