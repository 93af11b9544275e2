//! The sealed memory file: the same answers, and nobody can harm a process that has mapped it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;

use identity_map::{Cursor, Map, Mark, MemoryFile, ReadError, SealedMap, Standing, write_map};
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::fs::{fallocate, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::Errno;

use crate::damage::{answers, only_truth_or_error};
use crate::ffi::{Child, Writable};
use crate::sample::{by_name, content, group_numbered, groups_of, opened};

const MAP_NEEDS: [SealFlags; 4] = [
    SealFlags::SHRINK,
    SealFlags::GROW,
    SealFlags::WRITE,
    SealFlags::SEAL,
];
const MARK_NEEDS: [SealFlags; 4] = [
    SealFlags::SHRINK,
    SealFlags::GROW,
    SealFlags::FUTURE_WRITE,
    SealFlags::SEAL,
];

/// A map in memory that is in force.
fn in_force(bytes: &[u8]) -> (SealedMap, Mark) {
    let (sealed, mark) = (SealedMap::new(bytes).unwrap(), Mark::new().unwrap());
    mark.put(Some(&sealed));
    (sealed, mark)
}

fn mapped(sealed: &SealedMap, mark: &Mark) -> Map<MemoryFile> {
    Map::open_memory(sealed.file(), mark.file()).unwrap()
}

#[test]
fn a_memory_file_gives_the_same_answers_first_and_later() {
    let bytes = write_map(&content(10)).unwrap();
    let (sealed, mark) = in_force(&bytes);
    let map = mapped(&sealed, &mark);
    let truth = answers(&opened(&bytes));
    assert_eq!(answers(&map), truth);
    drop((sealed, mark));
    for _ in 0..3 {
        assert_eq!(answers(&map), truth, "also when the cacher is gone");
    }
}

#[test]
fn nss_01_root_cannot_change_a_memory_file() {
    let (sealed, mark) = in_force(&write_map(&content(10)).unwrap());
    let map = mapped(&sealed, &mark);
    for file in [sealed.file(), mark.file()] {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        let again = OpenOptions::new()
            .read(true)
            .write(true)
            .open(format!("/proc/self/fd/{}", file.as_raw_fd()));
        let attempts = [
            ftruncate(file, 0),
            ftruncate(file, 1 << 20),
            fallocate(file, hole, 0, 4096),
            fallocate(file, FallocateFlags::empty(), 0, 1 << 20),
            fcntl_add_seals(file, SealFlags::EXEC),
            rustix::io::pwrite(file, b"x", 0).map(|_| ()),
            Writable::of(file, 8).map(|_| ()),
        ];
        assert_eq!(attempts, [Err(Errno::PERM); 7]);
        if let Ok(again) = again {
            assert!(again.write_at(b"x", 0).is_err() && again.set_len(0).is_err());
            assert_eq!(Writable::of(again.as_fd(), 8).map(|_| ()), Err(Errno::PERM));
        }
    }
    only_truth_or_error(&map);
    assert!(by_name(&map, "person3").unwrap().is_some());
    assert_eq!(map.standing(), Standing::InForce);
}

#[test]
fn nss_02_whoever_can_still_write_a_memory_file_cannot_seal_it() {
    let bytes = write_map(&content(10)).unwrap();
    let file = memory_file(&bytes);
    let writable = Writable::of(file.as_fd(), bytes.len()).unwrap();
    let seals: SealFlags = MAP_NEEDS.into_iter().collect();
    assert_eq!(fcntl_add_seals(&file, seals), Err(Errno::BUSY));
    let mark = Mark::new().unwrap();
    let refused = |file: &File| Map::open_memory(file.as_fd(), mark.file()).unwrap_err();
    assert_eq!(refused(&file), ReadError::NotTrusted);
    // A seal against new mappings alone leaves the one there is.
    fcntl_add_seals(&file, MARK_NEEDS.into_iter().collect()).unwrap();
    assert_eq!(refused(&file), ReadError::NotTrusted);
    drop(writable);
}

#[test]
fn nss_01_a_file_without_all_seals_is_never_mapped() {
    let bytes = write_map(&content(10)).unwrap();
    let (sealed, mark) = in_force(&bytes);
    for (needed, contents) in [(MAP_NEEDS, &bytes[..]), (MARK_NEEDS, &[0; 16])] {
        for missing in needed {
            let file = memory_file(contents);
            let others = needed.into_iter().filter(|seal| *seal != missing);
            fcntl_add_seals(&file, others.collect()).unwrap();
            let as_map = refusal(file.as_fd(), mark.file());
            let as_mark = refusal(sealed.file(), file.as_fd());
            let refused = if needed == MAP_NEEDS { as_map } else { as_mark };
            assert_eq!(refused, ReadError::NotTrusted, "without {missing:?}");
        }
    }
    let mut plain = tempfile::tempfile().unwrap();
    plain.write_all(&bytes).unwrap();
    let (pipe, _) = std::io::pipe().unwrap();
    for file in [plain.as_fd(), pipe.as_fd()] {
        assert_eq!(refusal(file, mark.file()), ReadError::NotTrusted);
        assert_eq!(refusal(sealed.file(), file), ReadError::NotTrusted);
    }
}

#[test]
fn a_sealed_file_that_is_no_map_or_no_mark_is_refused() {
    let whole = write_map(&content(10)).unwrap();
    let (sealed, mark) = in_force(&whole);
    let with = |bytes: &[u8], seals: [SealFlags; 4]| {
        let file = memory_file(bytes);
        fcntl_add_seals(&file, seals.into_iter().collect()).unwrap();
        file
    };
    for bytes in [&[][..], b"text", &whole[..whole.len() - 1], &[0; 4096]] {
        let file = with(bytes, MAP_NEEDS);
        let refused = refusal(file.as_fd(), mark.file());
        assert_eq!(refused, ReadError::Damaged, "{} bytes", bytes.len());
        assert!(SealedMap::new(bytes).is_err(), "{} bytes", bytes.len());
    }
    for bytes in [&[][..], b"12345678", b"123456789012345"] {
        let file = with(bytes, MARK_NEEDS);
        let refused = refusal(sealed.file(), file.as_fd());
        assert_eq!(refused, ReadError::Damaged, "{} bytes", bytes.len());
    }
}

#[test]
fn a_superseded_map_says_so_in_every_process_that_has_it() {
    let (sealed, mark) = in_force(&write_map(&content(10)).unwrap());
    let readers = [mapped(&sealed, &mark), mapped(&sealed, &mark)];
    assert!(
        readers
            .iter()
            .all(|map| map.standing() == Standing::InForce)
    );
    let next = SealedMap::new(&write_map(&content(11)).unwrap()).unwrap();
    mark.put(Some(&next));
    assert!(
        readers
            .iter()
            .all(|map| map.standing() == Standing::Superseded)
    );
    only_truth_or_error(&readers[0]);
    assert!(by_name(&readers[0], "person3").unwrap().is_some());
    assert_eq!(mapped(&next, &mark).standing(), Standing::InForce);
    mark.put(None);
    assert_eq!(mapped(&next, &mark).standing(), Standing::Superseded);
}

#[test]
fn maps_that_differ_in_one_letter_are_not_taken_for_each_other() {
    let one = content(10);
    let mut other = one.clone();
    other.users[3].shell = "/bin/bach".into();
    let [one, other] = [one, other].map(|content| write_map(&content).unwrap());
    assert_eq!(one.len(), other.len());
    let (sealed, mark) = in_force(&one);
    assert!(!opened(&one).is_same_as(&opened(&other)));
    mark.put(Some(&SealedMap::new(&other).unwrap()));
    assert_eq!(mapped(&sealed, &mark).standing(), Standing::Superseded);
}

#[test]
fn nss_02_a_map_with_a_flipped_bit_is_never_sealed() {
    let mut bytes = write_map(&content(10)).unwrap();
    for at in 0..bytes.len() {
        bytes[at] ^= 1 << (at % 8);
        let sealed = SealedMap::new(&bytes);
        assert_eq!(sealed.is_ok(), (12..16).contains(&at), "byte {at}");
        bytes[at] ^= 1 << (at % 8);
    }
}

#[test]
fn nss_02_a_hostile_sealed_map_names_no_foreign_id_and_hands_over_no_text_without_end() {
    let mark = Mark::new().unwrap();
    let whole = write_map(&content(10)).unwrap();
    for at in 384..whole.len() {
        for value in [0, 1, 0x41, 0x7f, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            let file = memory_file(&bytes);
            fcntl_add_seals(&file, MAP_NEEDS.into_iter().collect()).unwrap();
            let map = Map::open_memory(file.as_fd(), mark.file()).unwrap();
            all_that_is_told_is_fit_for_glibc(&map);
        }
    }
}

fn all_that_is_told_is_fit_for_glibc(map: &Map<MemoryFile>) {
    const IDS: std::ops::RangeInclusive<u32> = 60_000..=0x7fff_ffff;
    let mut users = Vec::new();
    let mut buffer = [0; 1024];
    let mut cursor = Cursor::default();
    while let Ok(Some((user, next))) = map.user_after(cursor, &mut buffer) {
        users.push((user, buffer));
        cursor = next;
    }
    for number in 0..10_u32 {
        let name = format!("person{number}");
        let named = map.user_by_name(name.as_bytes(), &mut buffer);
        users.extend(named.ok().flatten().map(|user| (user, buffer)));
        let numbered = map.user_by_id(70_000 + number, &mut buffer);
        users.extend(numbered.ok().flatten().map(|user| (user, buffer)));
        if let Ok(Some(ids)) = groups_of(map, &name) {
            assert!(ids.iter().all(|id| IDS.contains(id)));
        }
        if let Ok(Some(group)) = group_numbered(map, 90_000 + number) {
            assert!(IDS.contains(&group.gid) && !group.name.contains('\0'));
        }
    }
    for (user, text) in users {
        assert!(IDS.contains(&user.uid) && IDS.contains(&user.gid));
        assert!(user.starts.into_iter().all(|start| start < user.text_bytes));
        assert_eq!(text[usize::from(user.text_bytes) - 1], 0);
    }
}

#[test]
fn nss_02_nothing_but_the_start_of_a_checked_record_is_believed() {
    let bytes = write_map(&content(10)).unwrap();
    let (sealed, mark) = in_force(&bytes);
    let map = mapped(&sealed, &mark);
    let truth = answers(&map);
    // Cursors of another map point anywhere, also into the middle of what was found whole.
    let places = u32::try_from(bytes.len() / 8).unwrap();
    let mut buffer = [0; 1024];
    for last in 69_999..70_009 {
        for place in 0..places {
            let cursor = Cursor::from_numbers([u64::from(last) | u64::from(place) << 32, 0]);
            let (user, _) = map.user_after(cursor, &mut buffer).unwrap().unwrap();
            assert_eq!(user.uid, last + 1, "place {place}");
        }
    }
    assert_eq!(answers(&map), truth);
}

fn memory_file(bytes: &[u8]) -> File {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create(c"test", flags).unwrap());
    file.write_all(bytes).unwrap();
    file
}

fn refusal(map: BorrowedFd<'_>, mark: BorrowedFd<'_>) -> ReadError {
    Map::open_memory(map, mark).unwrap_err()
}

#[test]
fn a_cacher_that_was_killed_is_missed_at_once() {
    let bytes = write_map(&content(10)).unwrap();
    let (mut told, mut tell) = std::io::pipe().unwrap();
    let cacher = Child::doing(|| {
        let (sealed, mark) = in_force(&bytes);
        for file in [sealed.file(), mark.file()] {
            tell.write_all(&file.as_raw_fd().to_ne_bytes()).unwrap();
        }
        loop {
            std::thread::park();
        }
    });
    let [file, mark] = [(); 2].map(|()| {
        let mut number = [0; 4];
        told.read_exact(&mut number).unwrap();
        let number = i32::from_ne_bytes(number);
        File::open(format!("/proc/{}/fd/{number}", cacher.id())).unwrap()
    });
    let map = Map::open_memory(file.as_fd(), mark.as_fd()).unwrap();
    assert_eq!(map.standing(), Standing::InForce);
    drop(cacher);
    assert_eq!(map.standing(), Standing::Orphaned);
    only_truth_or_error(&map);
    assert!(by_name(&map, "person3").unwrap().is_some());
}

#[test]
fn a_mark_that_is_given_up_orphans_its_map() {
    let (sealed, mark) = in_force(&write_map(&content(10)).unwrap());
    let map = mapped(&sealed, &mark);
    assert_eq!(map.standing(), Standing::InForce);
    drop(mark);
    assert_eq!(map.standing(), Standing::Orphaned);
}
