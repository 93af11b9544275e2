//! A reply: numbers in the byte order of the host, then texts, a NUL behind each, in one piece: a
//! client reads all numbers at once or none.

use super::request::{Unserved, VERSION};
use crate::lookups::{Group, User};

/// Whether something was found, as the second number of every reply says it.
mod found {
    pub(super) const YES: i32 = 1;
    pub(super) const NO: i32 = 0;
    /// This database is not served: the client goes on by itself.
    pub(super) const NOT_SERVED: i32 = -1;
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A user; what is not known does not exist, or is not for us to say.
    User(Answer<User>),
    /// A group.
    Group(Answer<Group>),
    /// Ids of groups.
    Groups(Answer<Vec<u32>>),
    /// Not served.
    Unserved(Unserved),
}

/// An answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// Here it is.
    Found(T),
    /// There is none, and nobody else could know of one.
    NotFound,
    /// Ask somebody else.
    Unsure,
}

impl<T> Answer<T> {
    fn number(&self) -> i32 {
        match self {
            Self::Found(_) => found::YES,
            Self::NotFound => found::NO,
            Self::Unsure => found::NOT_SERVED,
        }
    }
}

impl Reply {
    /// As it goes over the wire.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Self::User(answer) => user(answer),
            Self::Group(answer) => group(answer),
            Self::Groups(answer) => groups(answer),
            // Every reply has a length of its own; all numbers behind the second one are nothing.
            Self::Unserved(Unserved::Hosts) => numbers(&not_served::<8>()),
            Self::Unserved(Unserved::Addresses | Unserved::Services) => numbers(&not_served::<6>()),
            Self::Unserved(Unserved::Netgroup) => numbers(&not_served::<4>()),
            Self::Unserved(Unserved::InNetgroup) => numbers(&not_served::<3>()),
        }
    }
}

fn not_served<const COUNT: usize>() -> [i32; COUNT] {
    let mut numbers = [0; COUNT];
    for (place, number) in numbers.iter_mut().zip([VERSION, found::NOT_SERVED]) {
        *place = number;
    }
    numbers
}

fn user(answer: &Answer<User>) -> Vec<u8> {
    let head = [VERSION, answer.number()];
    let Answer::Found(user) = answer else {
        return numbers(&[&head[..], &[0; 7]].concat());
    };
    let lengths = |text: &Vec<u8>| length(text.len() + 1);
    let mut bytes = numbers(&[
        VERSION,
        found::YES,
        lengths(&user.name),
        lengths(&user.password),
        user.uid.cast_signed(),
        user.gid.cast_signed(),
        lengths(&user.gecos),
        lengths(&user.home),
        lengths(&user.shell),
    ]);
    for text in [
        &user.name,
        &user.password,
        &user.gecos,
        &user.home,
        &user.shell,
    ] {
        put(&mut bytes, text);
    }
    bytes
}

fn group(answer: &Answer<Group>) -> Vec<u8> {
    let head = [VERSION, answer.number()];
    let Answer::Found(group) = answer else {
        return numbers(&[&head[..], &[0; 4]].concat());
    };
    let mut bytes = numbers(&[
        VERSION,
        found::YES,
        length(group.name.len() + 1),
        length(group.password.len() + 1),
        group.gid.cast_signed(),
        length(group.members.len()),
    ]);
    let lengths = group.members.iter().map(|name| length(name.len() + 1));
    bytes.extend(numbers(&lengths.collect::<Vec<_>>()));
    put(&mut bytes, &group.name);
    put(&mut bytes, &group.password);
    for member in &group.members {
        put(&mut bytes, member);
    }
    bytes
}

fn groups(answer: &Answer<Vec<u32>>) -> Vec<u8> {
    let Answer::Found(ids) = answer else {
        return numbers(&[VERSION, answer.number(), 0]);
    };
    let mut bytes = numbers(&[VERSION, found::YES, length(ids.len())]);
    for id in ids {
        bytes.extend(id.to_ne_bytes());
    }
    bytes
}

fn numbers(numbers: &[i32]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_ne_bytes())
        .collect()
}

/// Nothing here is as long as the largest of these numbers: files and maps are bounded.
fn length(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

fn put(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend(text);
    bytes.push(0);
}
