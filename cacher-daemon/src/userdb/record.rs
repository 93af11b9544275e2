//! User and group records in systemd's JSON, and which of them a call wants.

use serde_json::{Value, json};

use super::SERVICE;
use super::arguments::Arguments;
use super::fault::Fault;
use crate::lookups::{Group, User};

/// What all people of the directory are to systemd.
const DISPOSITION: &str = "regular";

/// What users and groups have in common.
pub(super) trait Named {
    fn name(&self) -> &[u8];
    fn id(&self) -> u32;
    /// The person's name, for groups nothing.
    fn comment(&self) -> &[u8];
}

impl Named for User {
    fn name(&self) -> &[u8] {
        &self.name
    }
    fn id(&self) -> u32 {
        self.uid
    }
    fn comment(&self) -> &[u8] {
        &self.gecos
    }
}

impl Named for Group {
    fn name(&self) -> &[u8] {
        &self.name
    }
    fn id(&self) -> u32 {
        self.gid
    }
    fn comment(&self) -> &[u8] {
        &[]
    }
}

/// Filters beside name and id.
#[derive(Debug)]
pub(super) struct Filter {
    least: u32,
    most: u32,
    dispositions: Option<Vec<String>>,
    /// In lower case; any of them.
    parts_of_names: Vec<String>,
}

impl Filter {
    /// `id` is `uid` or `gid`, as the arguments are called.
    pub(super) fn take(arguments: &mut Arguments, id: &str) -> Result<Self, Fault> {
        let names = arguments.texts("fuzzyNames")?.unwrap_or_default();
        Ok(Self {
            least: arguments.id(&format!("{id}Min"))?.unwrap_or(0),
            most: arguments.id(&format!("{id}Max"))?.unwrap_or(u32::MAX),
            dispositions: arguments.texts("dispositionMask")?,
            parts_of_names: names.iter().map(|name| name.to_lowercase()).collect(),
        })
    }

    pub(super) fn fits(&self, record: &impl Named) -> bool {
        let disposition = self.dispositions.as_ref();
        (self.least..=self.most).contains(&record.id())
            && disposition.is_none_or(|any| any.iter().any(|one| one == DISPOSITION))
            && self.names_fit(record)
    }

    fn names_fit(&self, record: &impl Named) -> bool {
        let name = text(record.name()).to_lowercase();
        let comment = text(record.comment()).to_lowercase();
        let has = |part: &String| name.contains(part) || comment.contains(part);
        self.parts_of_names.is_empty() || self.parts_of_names.iter().any(has)
    }
}

/// A user; `keys` only for whom they may be told.
pub(super) fn user(user: &User, groups: &[String], keys: Option<&[String]>) -> Value {
    let mut record = json!({
        "userName": text(&user.name),
        "uid": user.uid,
        "gid": user.gid,
        "homeDirectory": text(&user.home),
        "shell": text(&user.shell),
        "disposition": DISPOSITION,
        "service": SERVICE,
    });
    let mut put = |name: &str, value: Value| {
        if let Some(fields) = record.as_object_mut() {
            fields.insert(name.to_owned(), value);
        }
    };
    // An empty one as well: nss-systemd would put the user's name in its place, and the answer would
    // depend on the order of sources in nsswitch.conf.
    put("realName", text(&user.gecos).into());
    if !groups.is_empty() {
        put("memberOf", groups.into());
    }
    if let Some(keys) = keys.filter(|keys| !keys.is_empty()) {
        put("privileged", json!({ "sshAuthorizedKeys": keys }));
    }
    json!({ "record": record, "incomplete": keys.is_none() })
}

/// A group.
pub(super) fn group(group: &Group) -> Value {
    let mut record = json!({
        "groupName": text(&group.name),
        "gid": group.gid,
        "disposition": DISPOSITION,
        "service": SERVICE,
    });
    if let Some(fields) = record.as_object_mut()
        && !group.members.is_empty()
    {
        let members: Vec<_> = group.members.iter().map(|name| text(name)).collect();
        fields.insert("members".to_owned(), members.into());
    }
    json!({ "record": record, "incomplete": false })
}

/// That a user is a member of a group.
pub(super) fn membership(user: &[u8], group: &[u8]) -> Value {
    json!({ "userName": text(user), "groupName": text(group) })
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
