//! A process that looks up much holds the map in memory: the same answers, left at once when it is
//! superseded, and given up quietly when the cacher does something strange. Each test works in a
//! process of its own, because what is held belongs to a process.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use identity_map::{MapContent, write_map};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use crate::cacher::Cacher;
use crate::ffi::{Guarded, Key, NOT_FOUND, SUCCESS, UNAVAILABLE};
use crate::ffi::{close, group, group_list, process_on, user};
use crate::host::Host;
use crate::people::{ALICE, three};

/// More lookups than make a process ask for the memory file.
const MANY: usize = 160;

/// How many maps this process has mapped.
pub(crate) fn held() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines()
        .filter(|line| line.contains(" r--p ") && line.contains("memfd:identity.map"))
        .count()
}

pub(crate) fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Looks up until the map is held, or a process would hold it.
pub(crate) fn look_up_much(memory: &Guarded) -> bool {
    (0..MANY).all(|_| user(memory, Key::Name("alice"), 1024).status == SUCCESS)
}

/// The next version, with another Alice.
pub(crate) fn changed() -> MapContent<'static> {
    let mut content = three();
    content.version += 1;
    content.users[0].gecos = "Alice Changed".into();
    content
}

pub(crate) fn alice(memory: &Guarded) -> String {
    let said = user(memory, Key::Id(ALICE), 1024);
    said.entry.map_or_else(String::new, |entry| entry.line)
}

/// Everything but Alice's comment, which differs between versions.
pub(crate) fn all_is_well(memory: &Guarded) -> bool {
    let dev = group(memory, Key::Name("dev"), 1024).entry;
    user(memory, Key::Name("alice"), 1024).status == SUCCESS
        && user(memory, Key::Id(ALICE), 1024).status == SUCCESS
        && user(memory, Key::Name("mallory"), 1024).status == NOT_FOUND
        && user(memory, Key::Id(ALICE + 9), 1024).status == UNAVAILABLE
        && user(memory, Key::Id(1), 1024).status == NOT_FOUND
        && dev.is_some_and(|dev| dev.members == ["alice", "bob"])
        && group_list("alice", &[], 0, -1).entry.unwrap() == [71_000, 71_001]
}

#[test]
fn nss_18_a_process_asks_once_and_only_after_many_lookups() {
    let host = Host::knowing(&three());
    let cacher = Cacher::of(&host, &three());
    assert!(host.says(&["id", "alice"]).contains("70001(alice)"));
    assert_eq!(cacher.connections(), 0, "a few lookups ask nobody");
    let many = process_on(&host, || {
        let memory = Guarded::new();
        let before = descriptors();
        (0..50).all(|_| look_up_much(&memory)) && held() == 1 && descriptors() == before
    });
    assert!(many);
    assert_eq!(cacher.connections(), 1);
}

#[test]
fn nss_18_what_is_held_answers_everything_without_file_and_cacher() {
    let host = Host::knowing(&three());
    let cacher = Cacher::of(&host, &three());
    let answered = process_on(&host, || {
        let memory = Guarded::new();
        let held = look_up_much(&memory) && held() == 1;
        fs::remove_file(host.map()).unwrap();
        fs::rename(host.socket(), host.path("run/away")).unwrap();
        let well = all_is_well(&memory) && alice(&memory).contains("Person alice");
        fs::rename(host.path("run/away"), host.socket()).unwrap();
        held && well
    });
    assert!(answered);
    drop(cacher);
}

/// A process on the host in whose middle something happens outside: when it calls what it is given,
/// which returns once it has happened.
fn process_in_which(
    host: &Host,
    it_happens: impl FnOnce() + Send,
    work: impl FnOnce(&mut dyn FnMut()) -> bool,
) -> bool {
    let (mut ready, mut get_ready) = std::io::pipe().unwrap();
    let (mut done, mut get_done) = std::io::pipe().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            ready.read_exact(&mut [0]).unwrap();
            it_happens();
            get_done.write_all(b"!").unwrap();
        });
        process_on(host, || {
            work(&mut || {
                get_ready.write_all(b"!").unwrap();
                done.read_exact(&mut [0]).unwrap();
            })
        })
    })
}

#[test]
fn nss_03_a_superseded_map_is_left_with_the_next_lookup() {
    let host = Host::knowing(&three());
    let cacher = Cacher::of(&host, &three());
    let publishes = || cacher.publish(&host, &changed());
    let left = process_in_which(&host, publishes, |cacher_publishes| {
        let memory = Guarded::new();
        let before = look_up_much(&memory) && held() == 1;
        cacher_publishes();
        let next = alice(&memory);
        let left = held() == 0 && next.contains("Alice Changed");
        before && left && look_up_much(&memory) && held() == 1
    });
    assert!(left);
    assert_eq!(cacher.connections(), 2);
}

#[test]
fn a_cacher_that_has_ended_is_noticed_with_the_next_lookup_and_then_by_its_next_map() {
    let host = Host::knowing(&three());
    let cacher = Cacher::of(&host, &three());
    // Its thread ends, as all of a process's do when it is killed; nobody says *superseded*.
    let ends = || drop(cacher);
    let noticed = process_in_which(&host, ends, |cacher_ends| {
        let memory = Guarded::new();
        let held_before = look_up_much(&memory) && held() == 1;
        cacher_ends();
        // The same map is published still.
        let kept = alice(&memory).contains("Person alice") && held() == 1;
        // Within a second the published one is looked at again.
        host.publish(&changed());
        let mut lookups = std::iter::repeat_with(|| alice(&memory)).take(50_000_000);
        let changed = lookups.any(|line| line.contains("Alice Changed"));
        held_before && kept && changed && held() == 0
    });
    assert!(noticed);
}

fn memory_file(bytes: &[u8], seals: SealFlags) -> File {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create(c"identity.map", flags).unwrap());
    file.write_all(bytes).unwrap();
    fcntl_add_seals(&file, seals).unwrap();
    file
}

fn all_seals() -> [SealFlags; 4] {
    [
        SealFlags::SHRINK,
        SealFlags::GROW,
        SealFlags::WRITE,
        SealFlags::SEAL,
    ]
}

#[test]
fn nss_01_a_file_without_all_seals_is_never_held() {
    let bytes = write_map(&three()).unwrap();
    let all = all_seals();
    let without = |missing| {
        all.into_iter()
            .filter(move |seal| *seal != missing)
            .collect()
    };
    let mut bad: Vec<File> = all
        .into_iter()
        .map(|missing| memory_file(&bytes, without(missing)))
        .collect();
    let mut plain = tempfile::tempfile().unwrap();
    plain.write_all(&bytes).unwrap();
    bad.push(plain);
    bad.push(memory_file(&bytes[..100], all.into_iter().collect()));
    for file in bad {
        let host = Host::knowing(&three());
        let cacher = Cacher::on(&host);
        cacher.hands_out_file(file);
        let refused = process_on(&host, || {
            let memory = Guarded::new();
            (0..5).all(|_| look_up_much(&memory)) && held() == 0 && all_is_well(&memory)
        });
        assert!(refused);
        let asked = cacher.connections() - cacher.asked().len();
        // A dozen of these lookups would ask, were there no pause; a slow one may end.
        assert!((1..=3).contains(&asked), "asked {asked} times");
    }
}

#[test]
fn nss_02_a_map_in_memory_that_tells_of_a_foreign_id_gives_way_to_the_file() {
    let host = Host::knowing(&three());
    let cacher = Cacher::on(&host);
    let whole = write_map(&three()).unwrap();
    let mut bytes = whole.clone();
    // Alice's record is the first, behind the header; root's group stands there for hers.
    let gid = &mut bytes[384 + 20..][..4];
    assert_eq!(gid, ALICE.to_le_bytes());
    gid.fill(0);
    let spoilt = memory_file(&bytes, all_seals().into_iter().collect());
    cacher.hands_out_instead(spoilt, &whole);
    let right = process_on(&host, || {
        let memory = Guarded::new();
        look_up_much(&memory) && held() == 1 && all_is_well(&memory)
    });
    assert!(right);
}

#[test]
fn nss_18_whatever_the_cacher_does_the_answers_are_the_same() {
    type Strange = fn(&Host) -> Option<UnixListener>;
    let strange: [(&str, Strange); 3] = [
        ("there is no socket", |_| None),
        ("it hangs", |host| UnixListener::bind(host.socket()).ok()),
        ("it crashed", |host| {
            drop(UnixListener::bind(host.socket()).unwrap());
            None
        }),
    ];
    for (what, act) in strange {
        let host = Host::knowing(&three());
        let kept = act(&host);
        let same = process_on(&host, || {
            let memory = Guarded::new();
            (0..20).all(|_| look_up_much(&memory) && all_is_well(&memory)) && held() == 0
        });
        assert!(same, "{what}");
        drop(kept);
    }
}

#[test]
fn nss_06_a_program_that_closes_everything_before_and_after_disturbs_no_held_map() {
    let host = Host::knowing(&three());
    let cacher = Cacher::of(&host, &three());
    let well = process_on(&host, || {
        let memory = Guarded::new();
        // Everything but standard input and output is the program's to close.
        let close_all = || (3..64).for_each(close);
        close_all();
        let held_before = look_up_much(&memory) && held() == 1;
        close_all();
        held_before && all_is_well(&memory) && look_up_much(&memory) && held() == 1
    });
    assert!(well);
    let asked = cacher.connections() - cacher.asked().len();
    assert_eq!(asked, 1, "asked again");
}
