//! The fast lane: a revocation is durable before anybody hears that it arrived, and it sticks until
//! a bundle contains it.

use jiff::Timestamp;
use signed_bundle::{FastAction, open_fast_message, open_signed_time};

use super::marks::Revocation;
use super::{Mirror, MirrorError};

/// What a fast-lane message did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Its number.
    pub sequence: u64,
    /// Who is suspended; `None` for a verb this version does not know.
    pub user: Option<String>,
    /// The verb, where it is unknown.
    pub unknown_verb: Option<String>,
}

impl Mirror {
    /// Takes a fast-lane message in, durably.
    ///
    /// # Errors
    /// It is not signed for this organisation, was taken in before, or the disk refuses.
    pub fn revoke(&mut self, signed: &[u8]) -> Result<Revoked, MirrorError> {
        let after = self.marks.fast_lane_sequence;
        let organisation = self.enrolled.identity.organisation.clone();
        let message = open_fast_message(signed, self.root()?, &organisation, after)?;
        let before = self.marks.clone();
        let mut revoked = Revoked {
            sequence: message.sequence,
            user: None,
            unknown_verb: None,
        };
        match message.action {
            FastAction::SuspendUser { user } => {
                self.marks.stick(Revocation {
                    sequence: message.sequence,
                    user: user.clone(),
                });
                revoked.user = Some(user);
            }
            FastAction::Unknown { verb } => revoked.unknown_verb = Some(verb),
        }
        self.marks.fast_lane_sequence = message.sequence;
        let issued = message.issued.as_millisecond();
        self.marks.newest_signed_ms = before.newest_signed_ms.max(issued);
        if let Err(error) = self.save_marks() {
            // In force all the same, but not acknowledged: it will be offered again.
            self.marks.fast_lane_sequence = before.fast_lane_sequence;
            return Err(error);
        }
        Ok(revoked)
    }

    /// Opens a signed time.
    ///
    /// # Errors
    /// It is not signed for this organisation.
    pub fn signed_time(&self, signed: &[u8]) -> Result<Timestamp, MirrorError> {
        let organisation = &self.enrolled.identity.organisation;
        Ok(open_signed_time(signed, self.root()?, organisation)?)
    }

    /// Makes the newest signed time durable.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn keep_time(&mut self, newest_ms: i64) -> Result<(), MirrorError> {
        if newest_ms <= self.marks.newest_signed_ms {
            return Ok(());
        }
        self.marks.newest_signed_ms = newest_ms;
        self.save_marks()
    }
}
