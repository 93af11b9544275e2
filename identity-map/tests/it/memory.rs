//! The sealed memory file: the same answers, and nobody can harm a process that has mapped it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};

use identity_map::{Map, MapContent, MemoryFile, ReadError, SealedMap, write_map};
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::fs::{fallocate, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::Errno;

use crate::damage::{answers, only_truth_or_error};
use crate::ffi::Writable;
use crate::sample::{by_name, content, group, opened};

const NEEDED: [SealFlags; 4] = [
    SealFlags::SHRINK,
    SealFlags::GROW,
    SealFlags::FUTURE_WRITE,
    SealFlags::SEAL,
];

#[test]
fn a_memory_file_gives_the_same_answers() {
    let bytes = write_map(&content(10)).unwrap();
    let sealed = SealedMap::new(&bytes).unwrap();
    let map = Map::open_memory(sealed.file()).unwrap();
    assert_eq!(answers(&map), answers(&opened(&bytes)));
    drop(sealed);
    assert_eq!(
        answers(&map),
        answers(&opened(&bytes)),
        "also when the cacher is gone"
    );
}

#[test]
fn nss_01_root_cannot_change_a_memory_file() {
    let sealed = SealedMap::new(&write_map(&content(10)).unwrap()).unwrap();
    let file = sealed.file();
    let map = Map::open_memory(file).unwrap();
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
        fcntl_add_seals(file, SealFlags::WRITE),
        rustix::io::pwrite(file, b"x", 0).map(|_| ()),
        Writable::of(file, 4096).map(|_| ()),
    ];
    assert_eq!(attempts, [Err(Errno::PERM); 7]);
    if let Ok(again) = again {
        assert!(again.write_at(b"x", 0).is_err() && again.set_len(0).is_err());
        assert_eq!(
            Writable::of(again.as_fd(), 4096).map(|_| ()),
            Err(Errno::PERM)
        );
    }
    only_truth_or_error(&map);
    assert!(by_name(&map, "person3").unwrap().is_some());
}

#[test]
fn nss_01_a_file_without_all_seals_is_never_mapped() {
    let bytes = write_map(&content(10)).unwrap();
    for missing in NEEDED {
        let file = memory_file(&bytes);
        let others = NEEDED.into_iter().filter(|seal| *seal != missing);
        fcntl_add_seals(&file, others.collect()).unwrap();
        assert_eq!(
            refusal(file.as_fd()),
            ReadError::NotTrusted,
            "without {missing:?}"
        );
    }
    let mut plain = tempfile::tempfile().unwrap();
    plain.write_all(&bytes).unwrap();
    assert_eq!(refusal(plain.as_fd()), ReadError::NotTrusted);
    let (pipe, _) = std::io::pipe().unwrap();
    assert_eq!(refusal(pipe.as_fd()), ReadError::NotTrusted);
}

#[test]
fn a_sealed_file_that_is_no_map_is_refused() {
    let whole = write_map(&content(10)).unwrap();
    for bytes in [&[][..], b"text", &whole[..whole.len() - 1], &[0; 4096]] {
        let sealed = SealedMap::new(bytes);
        let damaged = |sealed: SealedMap| refusal(sealed.file()) == ReadError::Damaged;
        assert!(sealed.is_ok_and(damaged), "{} bytes", bytes.len());
    }
}

#[test]
fn a_superseded_map_says_so_in_every_process_that_has_it() {
    let sealed = SealedMap::new(&write_map(&content(10)).unwrap()).unwrap();
    let readers = [sealed.file(), sealed.file()].map(|file| Map::open_memory(file).unwrap());
    assert!(readers.iter().all(|map| !map.is_superseded()));
    sealed.supersede();
    assert!(readers.iter().all(Map::is_superseded));
    only_truth_or_error(&readers[0]);
    assert!(by_name(&readers[0], "person3").unwrap().is_some());
    let late = Map::open_memory(sealed.file()).unwrap();
    assert!(late.is_superseded());
}

#[test]
fn nss_02_bytes_that_the_owner_flips_under_the_reader_are_never_answers() {
    let bytes = write_map(&content(10)).unwrap();
    let file = memory_file(&bytes);
    let writable = Writable::of(file.as_fd(), bytes.len()).unwrap();
    fcntl_add_seals(&file, NEEDED.into_iter().collect()).unwrap();
    let map: Map<MemoryFile> = Map::open_memory(file.as_fd()).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for at in (0..bytes.len()).cycle() {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                writable.flip(at, 1 << (at % 8));
                writable.flip((at * 31) % bytes.len(), 0x40);
                writable.flip((at * 31) % bytes.len(), 0x40);
                writable.flip(at, 1 << (at % 8));
            }
        });
        for _ in 0..300 {
            only_truth_or_error(&map);
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(answers(&map), answers(&opened(&bytes)));
}

fn memory_file(bytes: &[u8]) -> File {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create(c"test", flags).unwrap());
    file.write_all(bytes).unwrap();
    file
}

fn refusal(file: BorrowedFd<'_>) -> ReadError {
    Map::open_memory(file).unwrap_err()
}

#[test]
fn a_long_list_is_still_bounded_once_its_sum_is_remembered() {
    let names: Vec<String> = (0..3_000).map(|n| format!("person{n:06}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let content = MapContent {
        groups: vec![group("everybody", 70_001, &names)],
        ..MapContent::default()
    };
    let bytes = write_map(&content).unwrap();
    let file = memory_file(&bytes);
    let writable = Writable::of(file.as_fd(), bytes.len()).unwrap();
    fcntl_add_seals(&file, NEEDED.into_iter().collect()).unwrap();
    let map: Map<MemoryFile> = Map::open_memory(file.as_fd()).unwrap();
    let everybody = map.group_by_id(70_001).unwrap().unwrap();
    let mut room = vec![0; everybody.members_bytes()];
    map.read_members(&everybody, &mut room).unwrap();
    let (lengths, names) = room.split_at(3_000);
    let at = |part: &[u8]| {
        bytes
            .windows(part.len())
            .position(|here| here == part)
            .unwrap()
    };
    let (lengths_at, names_at) = (at(lengths), at(names));
    for (flipped, mask) in [(lengths_at, 0x40), (names_at + names.len() - 1, 0x20)] {
        writable.flip(flipped, mask);
        let spoilt = map.read_members(&everybody, &mut vec![0; room.len()]);
        assert_eq!(spoilt, Err(ReadError::Damaged), "byte {flipped}");
        writable.flip(flipped, mask);
    }
    assert_eq!(map.read_members(&everybody, &mut room), Ok(()));
}
