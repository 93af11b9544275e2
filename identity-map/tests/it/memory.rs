//! The sealed memory file: the same answers, and nobody can harm a process that has mapped it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;

use identity_map::{Cursor, Map, MapContent, Mark, MemoryFile, ReadError, SealedMap, write_map};
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::fs::{fallocate, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::Errno;

use crate::damage::{answers, only_truth_or_error};
use crate::ffi::Writable;
use crate::sample::{by_name, content, group, opened};

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
    assert!(!map.is_superseded());
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
    for (needed, contents) in [(MAP_NEEDS, &bytes[..]), (MARK_NEEDS, &[0; 8])] {
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
    for bytes in [&[][..], b"1234567", b"123456789"] {
        let file = with(bytes, MARK_NEEDS);
        let refused = refusal(sealed.file(), file.as_fd());
        assert_eq!(refused, ReadError::Damaged, "{} bytes", bytes.len());
    }
}

#[test]
fn a_superseded_map_says_so_in_every_process_that_has_it() {
    let (sealed, mark) = in_force(&write_map(&content(10)).unwrap());
    let readers = [mapped(&sealed, &mark), mapped(&sealed, &mark)];
    assert!(readers.iter().all(|map| !map.is_superseded()));
    let next = SealedMap::new(&write_map(&content(11)).unwrap()).unwrap();
    mark.put(Some(&next));
    assert!(readers.iter().all(Map::is_superseded));
    only_truth_or_error(&readers[0]);
    assert!(by_name(&readers[0], "person3").unwrap().is_some());
    assert!(!mapped(&next, &mark).is_superseded());
    mark.put(None);
    assert!(mapped(&next, &mark).is_superseded());
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
    assert!(mapped(&sealed, &mark).is_superseded());
}

#[test]
fn nss_02_a_flipped_bit_in_a_sealed_map_is_never_an_answer() {
    let mut bytes = write_map(&content(10)).unwrap();
    let mark = Mark::new().unwrap();
    for at in (384..bytes.len()).step_by(3) {
        bytes[at] ^= 1 << (at % 8);
        let map = mapped(&SealedMap::new(&bytes).unwrap(), &mark);
        // What was refused once is not believed later.
        only_truth_or_error(&map);
        only_truth_or_error(&map);
        bytes[at] ^= 1 << (at % 8);
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
            let cursor = Cursor::from_number(u64::from(last) | u64::from(place) << 32);
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
fn nss_02_a_flipped_bit_in_a_long_list_of_a_sealed_map_is_an_error_each_time() {
    let names: Vec<String> = (0..3_000).map(|n| format!("person{n:06}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let content = MapContent {
        groups: vec![group("everybody", 70_001, &names)],
        ..MapContent::default()
    };
    let mut bytes = write_map(&content).unwrap();
    let members = |bytes: &[u8]| {
        let map = mapped(&SealedMap::new(bytes).unwrap(), &Mark::new().unwrap());
        let everybody = map.group_by_id(70_001).unwrap().unwrap();
        let mut room = vec![0; everybody.members_bytes()];
        let tries = [(); 2].map(|()| map.read_members(&everybody, &mut room));
        (tries, room)
    };
    let (tries, whole) = members(&bytes);
    assert_eq!(tries, [Ok(()); 2]);
    let (lengths, names) = whole.split_at(3_000);
    let at = |part: &[u8]| {
        let mut windows = bytes.windows(part.len());
        windows.position(|here| here == part).unwrap()
    };
    for at in [at(lengths), at(names) + names.len() - 1] {
        bytes[at] ^= 0x20;
        assert_eq!(members(&bytes).0, [Err(ReadError::Damaged); 2], "byte {at}");
        bytes[at] ^= 0x20;
    }
}
