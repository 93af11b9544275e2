//! A process that has next to nothing left of what a lookup needs: its answers are right or *cannot
//! tell*, it is never ended, and local users are found.

use crate::cacher::Cacher;
use crate::host::Host;
use crate::people::three;
use crate::programs::{Said, run};

/// The answers about alice and her group in one process of the program.
const ALL: u64 = 5 * 24;

/// Beside a cacher with a map for the memory; and beside none.
fn limited(what: &str) -> [Said; 2] {
    let host = Host::knowing(&three());
    let cacher = Cacher::of(&host, &three());
    let with = run(&host, "limits", &[what]);
    drop(cacher);
    [with, run(&host, "limits", &[what])]
}

#[test]
fn nss_11_without_a_descriptor_it_is_unavailable_and_one_is_enough() {
    for said in limited("descriptors") {
        assert_eq!(said.number("with none"), 0, "{said:?}");
        assert_eq!(said.number("with one"), ALL, "{said:?}");
    }
}

#[test]
fn nss_11_with_little_address_space_answers_are_right_or_unavailable() {
    for said in limited("address-space") {
        assert_eq!(said.number("tried"), 65, "{said:?}");
        assert!(said.number("right") > 50, "{said:?}");
    }
}

#[test]
fn nss_11_a_limit_for_files_or_processes_disturbs_no_lookup() {
    limited("file-size");
    limited("processes");
}

#[test]
fn nss_11_the_smallest_stack_of_a_thread_is_enough() {
    for said in limited("stack") {
        assert!(said.number("bytes") < 16_384, "{said:?}");
    }
}

#[test]
fn nss_11_whichever_allocation_fails_nothing_is_aborted_and_no_answer_is_wrong() {
    let [with, without] = limited("memory");
    // The array of groups is the only memory that a lookup asks for.
    assert!(with.number("failed") >= 2, "{with:?}");
    assert!(without.number("failed") >= 2, "{without:?}");
}
