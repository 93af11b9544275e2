//! The shrink guard.

use policy::UserState;
use signed_bundle::*;

use crate::world::*;

fn people(count: u32) -> Slice {
    slice((0..count).map(person).collect())
}

#[test]
fn syn_19_most_people_cannot_vanish_at_once() {
    let old = people(100);
    for left in [0, 10, 49] {
        assert_eq!(why(shrink_guard(&old, &people(left), 0)), "shrink_guard");
    }
    assert!(shrink_guard(&old, &people(50), 0).is_ok());
}

#[test]
fn syn_19_a_small_site_may_change() {
    assert!(shrink_guard(&people(9), &people(0), 0).is_ok());
    assert!(shrink_guard(&people(10), &people(0), 0).is_err());
    assert!(shrink_guard(&people(0), &people(0), 0).is_ok());
}

#[test]
fn syn_19_as_many_as_were_confirmed_may_vanish() {
    let (old, new) = (people(100), people(10));
    assert!(shrink_guard(&old, &new, 89).is_err());
    assert!(shrink_guard(&old, &new, 90).is_ok());
    assert!(shrink_guard(&old, &people(0), u32::MAX).is_ok());
}

#[test]
fn syn_19_suspensions_are_not_removals() {
    let (old, mut new) = (people(100), people(100));
    for person in &mut new.people {
        person.state = UserState::Suspended;
    }
    assert!(shrink_guard(&old, &new, 0).is_ok());
    assert_eq!(suspensions(&old, &new).len(), 100);
}

#[test]
fn syn_19_suspensions_in_a_bundle_held_back_can_still_be_told() {
    let (old, mut new) = (people(100), people(10));
    new.people[3].state = UserState::Suspended;
    assert!(shrink_guard(&old, &new, 0).is_err());
    assert_eq!(suspensions(&old, &new), ["usr_3"]);
}

#[test]
fn syn_19_everybody_replaced_by_others_is_a_disappearance() {
    let others = slice((200..300).map(person).collect());
    assert!(shrink_guard(&people(100), &others, 0).is_err());
}
