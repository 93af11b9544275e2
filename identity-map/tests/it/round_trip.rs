//! What is written is what is read.

use identity_map::{Cursor, Map, MapContent, MemberPolicy, Owners, ReadError, write_map};

use crate::sample::{FIRST_GID, FIRST_UID, by_id, by_name, content, group, groups_of};
use crate::sample::{group_after, group_named, group_numbered, opened, user};

#[test]
fn every_user_is_found_by_name_and_by_id() {
    let content = content(2_000);
    let bytes = write_map(&content).unwrap();
    let map = opened(&bytes);
    assert_eq!((map.version(), map.issued_at_ms()), (7, 1_790_000_000_000));
    assert_eq!((map.users(), map.groups()), (2_000, 5));
    assert!(map.enumerates() && map.lists_members());
    for wanted in &content.users {
        let name = &*wanted.name;
        let by_name = by_name(&map, name).unwrap().unwrap();
        let by_id = by_id(&map, wanted.uid.get()).unwrap().unwrap();
        assert_eq!(by_name, by_id);
        let (gecos, home) = (&*wanted.gecos, &*wanted.home);
        let fields = [name, "x", gecos, home, &*wanted.shell];
        assert_eq!(by_name.fields(), fields);
        assert_eq!(by_name.user.uid, wanted.uid.get());
        assert_eq!(by_name.user.gid, wanted.gid.get());
        let expected: Vec<u32> = wanted.groups.iter().map(|gid| gid.get()).collect();
        let found = groups_of(&map, &wanted.name).unwrap().unwrap();
        assert_eq!(found, expected);
    }
}

#[test]
fn the_text_of_a_user_is_a_passwd_entry_with_x() {
    let content = MapContent {
        users: vec![user("alice", 70_000, &[])],
        ..MapContent::default()
    };
    let bytes = write_map(&content).unwrap();
    let alice = by_name(&opened(&bytes), "alice").unwrap().unwrap();
    let text = b"alice\0x\0Person alice\0/home/alice\0/bin/bash\0";
    assert_eq!(alice.text(), text);
}

#[test]
fn what_the_cacher_may_be_asked_is_part_of_the_map() {
    for owners in [Owners::Off, Owners::Ids, Owners::All] {
        let content = MapContent {
            owners,
            ..content(3)
        };
        let bytes = write_map(&content).unwrap();
        let map = opened(&bytes);
        assert_eq!(map.owners(), owners);
        assert!(map.enumerates() && map.lists_members());
    }
}

#[test]
fn a_buffer_is_too_small_only_for_somebody_who_is_there() {
    let bytes = write_map(&content(10)).unwrap();
    let map = opened(&bytes);
    let enough = by_name(&map, "person3").unwrap().unwrap().text().len();
    for room in 0..=enough {
        let mut buffer = vec![0; room];
        let found = map.user_by_name(b"person3", &mut buffer);
        if room < enough {
            assert_eq!(found, Err(ReadError::BufferTooSmall));
        } else {
            assert_eq!(found.unwrap().unwrap().uid, FIRST_UID + 3);
        }
        assert_eq!(map.user_by_name(b"person99", &mut buffer), Ok(None));
        assert_eq!(map.user_by_id(FIRST_UID + 99, &mut buffer), Ok(None));
    }
}

#[test]
fn every_group_is_found_with_all_its_members() {
    let content = content(500);
    let bytes = write_map(&content).unwrap();
    let map = opened(&bytes);
    for wanted in &content.groups {
        let mut expected: Vec<&str> = wanted.members.iter().map(|name| &**name).collect();
        expected.sort_unstable();
        let named = group_named(&map, &wanted.name).unwrap().unwrap();
        let numbered = group_numbered(&map, wanted.gid.get()).unwrap().unwrap();
        for found in [named, numbered] {
            assert_eq!(found.name, wanted.name);
            assert_eq!(found.gid, wanted.gid.get());
            assert_eq!(found.members, expected);
        }
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    for users in [0, 1, 2_000] {
        let bytes = write_map(&content(users)).unwrap();
        let map = opened(&bytes);
        for name in [
            "",
            "nobody-here",
            "person",
            "PERSON0",
            "person0\0",
            &"p".repeat(33),
        ] {
            assert!(by_name(&map, name).unwrap().is_none(), "{name:?}");
            assert!(group_named(&map, name).unwrap().is_none(), "{name:?}");
        }
        for id in [0, 1, 69_999, 89_999, 100_000, u32::MAX] {
            assert!(by_id(&map, id).unwrap().is_none(), "{id}");
            assert!(group_numbered(&map, id).unwrap().is_none(), "{id}");
        }
    }
}

#[test]
fn the_same_content_in_another_order_gives_the_same_bytes() {
    let content = content(300);
    let mut turned = content.clone();
    turned.users.reverse();
    turned.groups.reverse();
    turned
        .users
        .iter_mut()
        .for_each(|user| user.groups.reverse());
    turned
        .groups
        .iter_mut()
        .for_each(|group| group.members.reverse());
    assert_eq!(write_map(&content), write_map(&turned));
}

#[test]
fn without_members_groups_are_empty_and_group_lists_stay() {
    let mut content = content(50);
    content.member_policy = MemberPolicy::None;
    let bytes = write_map(&content).unwrap();
    let map = opened(&bytes);
    let team = group_named(&map, "team0").unwrap().unwrap();
    assert!(!map.lists_members());
    assert!(team.members.is_empty());
    assert_eq!(groups_of(&map, "person4").unwrap().unwrap().len(), 4);
}

#[test]
fn enumeration_lists_each_user_and_group_once_in_order_of_ids() {
    let bytes = write_map(&content(100)).unwrap();
    let map = opened(&bytes);
    assert_eq!(
        listed(&map, Cursor::default()),
        (FIRST_UID..FIRST_UID + 100).collect::<Vec<_>>()
    );
    let mut groups = Vec::new();
    let mut cursor = Cursor::default();
    while let Some((group, next)) = group_after(&map, cursor).unwrap() {
        groups.push(group.gid);
        cursor = Cursor::from_numbers(next.numbers());
    }
    assert_eq!(groups, (FIRST_GID..FIRST_GID + 5).collect::<Vec<_>>());
}

#[test]
fn nss_21_enumeration_over_a_replaced_map_repeats_nobody() {
    let (many, few) = (content(100), content(60));
    let (many, few) = (write_map(&many).unwrap(), write_map(&few).unwrap());
    let (many, few) = (opened(&many), opened(&few));
    let mut cursor = Cursor::default();
    for _ in 0..50 {
        cursor = many.user_after(cursor, &mut [0; 1024]).unwrap().unwrap().1;
    }
    assert_eq!(
        listed(&few, cursor),
        (FIRST_UID + 50..FIRST_UID + 60).collect::<Vec<_>>()
    );
    let behind_all = Cursor::from_numbers([u64::from(FIRST_UID + 80) | 81 << 32, 0]);
    assert!(listed(&few, behind_all).is_empty());
}

#[test]
fn any_number_is_a_cursor() {
    let bytes = write_map(&content(10)).unwrap();
    let map = opened(&bytes);
    for number in [1, u64::MAX, u64::from(u32::MAX), 1 << 63, 5 << 32] {
        assert!(listed(&map, Cursor::from_numbers([number, 0])).len() <= 10);
    }
}

#[test]
fn ranges_are_those_of_the_directory() {
    let bytes = write_map(&MapContent::default()).unwrap();
    let map = opened(&bytes);
    for id in [70_000, 99_999, 0x7000_0000, 0x7fff_ffff] {
        assert!(map.ranges_hold(id), "{id}");
    }
    for id in [
        0,
        999,
        1_000,
        65_534,
        69_999,
        100_000,
        0x8000_0000,
        u32::MAX,
    ] {
        assert!(!map.ranges_hold(id), "{id}");
    }
}

#[test]
fn a_name_of_a_user_is_not_a_group() {
    let content = MapContent {
        users: vec![user("alice", 70_000, &[70_001])],
        groups: vec![group("staff-of-alice", 70_001, &["alice"])],
        ..MapContent::default()
    };
    let bytes = write_map(&content).unwrap();
    let map = opened(&bytes);
    assert!(group_named(&map, "alice").unwrap().is_none());
    assert!(by_name(&map, "staff-of-alice").unwrap().is_none());
    assert!(by_id(&map, 70_001).unwrap().is_none());
    assert!(group_numbered(&map, 70_000).unwrap().is_none());
}

fn listed(map: &Map<&[u8]>, mut cursor: Cursor) -> Vec<u32> {
    let mut ids = Vec::new();
    while let Some((user, next)) = map.user_after(cursor, &mut [0; 1024]).unwrap() {
        ids.push(user.uid);
        cursor = next;
    }
    ids
}
