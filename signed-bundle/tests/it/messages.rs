//! The fast lane and the signed time.

use signed_bundle::*;

use crate::world::*;

fn suspension(sequence: u64) -> FastMessage {
    FastMessage {
        organisation: ORGANISATION.to_owned(),
        sequence,
        issued: now(),
        action: FastAction::SuspendUser {
            user: "usr_1".to_owned(),
        },
    }
}

#[test]
fn a_suspension_arrives_as_it_was_signed() {
    let world = World::new();
    let bytes = sign_fast_message(&suspension(8), &world.signing_key);
    let opened = open_fast_message(&bytes, &world.root, ORGANISATION, 7);
    assert_eq!(opened, Ok(suspension(8)));
}

#[test]
fn a_repeated_or_older_message_is_refused() {
    let world = World::new();
    let bytes = sign_fast_message(&suspension(8), &world.signing_key);
    for after in [8, 9] {
        let refused = open_fast_message(&bytes, &world.root, ORGANISATION, after);
        assert_eq!(why(refused), "older");
    }
}

#[test]
fn a_suspension_holds_even_when_the_root_document_has_expired() {
    let mut world = World::new();
    world.root.expires = now() - hours(1);
    let bytes = sign_fast_message(&suspension(1), &world.signing_key);
    assert!(open_fast_message(&bytes, &world.root, ORGANISATION, 0).is_ok());
}

#[test]
fn messages_of_other_keys_and_organisations_are_refused() {
    let world = World::new();
    let by_root = sign_fast_message(&suspension(1), &world.root_key);
    let by_nobody = sign_fast_message(&suspension(1), &key(99));
    let own = sign_fast_message(&suspension(1), &world.signing_key);
    let open =
        |bytes: &[u8], organisation| why(open_fast_message(bytes, &world.root, organisation, 0));
    assert_eq!(open(&by_root, ORGANISATION), "wrong_role");
    assert_eq!(open(&by_nobody, ORGANISATION), "signature");
    assert_eq!(open(&own, "org_2"), "wrong_organisation");
}

#[test]
fn a_verb_of_a_newer_directory_is_named_and_does_nothing() {
    let world = World::new();
    let verb = "run_command".to_owned();
    let message = FastMessage {
        action: FastAction::Unknown { verb },
        ..suspension(1)
    };
    let bytes = sign_fast_message(&message, &world.signing_key);
    let opened = open_fast_message(&bytes, &world.root, ORGANISATION, 0);
    assert_eq!(opened, Ok(message));
}

#[test]
fn the_time_is_believed_only_when_signed() {
    let world = World::new();
    let signed = sign_time(ORGANISATION, now(), &world.signing_key);
    let forged = sign_time(ORGANISATION, now(), &key(99));
    assert_eq!(
        open_signed_time(&signed, &world.root, ORGANISATION),
        Ok(now())
    );
    assert!(open_signed_time(&signed, &world.root, "org_2").is_err());
    assert!(open_signed_time(&forged, &world.root, ORGANISATION).is_err());
}
