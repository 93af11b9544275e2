//! Second factors on this host: a typed code is checked and burnt by the directory, once for all
//! hosts; while that is away, by check bits and backup codes of the bundle. No secret of a second
//! factor is ever here.

pub mod kept;
pub mod offline;
pub mod passed;
pub mod prompt;
pub mod remembered;
pub mod ssh_keys;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use directory_api::agent::{CodeCheck, CodeChecked};
use local_protocol::{Login, Secret};
use policy::{FactorKind, Factors, TypedCode};
use signed_bundle::{CheckBits, PersonRecord};
use zeroize::{Zeroize, Zeroizing};

use crate::cacher::Cacher;
use crate::conversation::verifier::Checked;
use crate::events::Event;
use crate::sync::online::CodeAnswered;
use kept::{Burnt, CodePermit, CodeStrictness, Kept, Ledger};
use offline::{Device, Steps};
use prompt::OfflineCode;

/// How a code was judged. Why is for the log alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeJudged {
    /// Right, and burnt.
    Right,
    /// Wrong, used before, or of a kind that does not count.
    Wrong(&'static str),
    /// Too many wrong ones; nothing was compared.
    Locked,
    /// Nobody could tell, or it could not be written down.
    CannotTell(&'static str),
}

/// A person at a service who must type a code of one of these kinds.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Who.
    pub person: &'a PersonRecord,
    /// Where.
    pub login: &'a Login,
    /// What holds there.
    pub factors: &'a Factors,
    /// Kinds that count and that the person has.
    pub kinds: &'a BTreeSet<FactorKind>,
}

/// Codes checked by a host alone never help to become somebody else.
#[must_use]
pub fn elevates(service: &str) -> bool {
    matches!(service, "sudo" | "sudo-i" | "sudo-rs")
}

impl Cacher {
    /// How this login must be proven.
    pub(crate) fn factors_for(&self, login: &Login) -> Factors {
        let tables = self.tables();
        let policies = tables.factor_policies();
        let service = login.service.as_str();
        let config = self.config();
        let exempt = &config.pam.services_without_mfa;
        if policies.is_empty() || exempt.iter().any(|name| name == service) {
            return Factors::one_factor();
        }
        match crate::account::source(&login.remote_host) {
            Ok(source) => Factors::of(policies, service, source),
            // A name instead of an address says nothing that could be trusted.
            Err(_) => Factors::from_anywhere(policies, service),
        }
    }

    /// Judges a typed code, and burns it when it is right.
    pub(crate) async fn judge_code(&self, asked: Asked<'_>, typed: &Secret) -> CodeJudged {
        let Some(code) = std::str::from_utf8(typed.expose())
            .ok()
            .and_then(TypedCode::read)
        else {
            return CodeJudged::Wrong("code_malformed");
        };
        let kind = kind_of(&code);
        if !asked.kinds.contains(&kind) {
            wipe(code);
            return CodeJudged::Wrong("code_of_another_kind");
        }
        let user = asked.person.id.clone();
        let strictness = self.code_strictness(asked.factors);
        let now = self.now();
        let counted = self
            .with_ledger(move |ledger, disk| ledger.begin(disk, &user, strictness, now))
            .await;
        let permit = match counted {
            Ok(permit) => permit,
            Err(error) => {
                tracing::error!(%error, "a code could not be counted, so nothing is compared");
                wipe(code);
                return CodeJudged::CannotTell("not_counted");
            }
        };
        let judged = self.judge_counted(asked, kind, &code, permit).await;
        wipe(code);
        self.after_judging(asked, permit, judged).await;
        judged
    }

    async fn judge_counted(
        &self,
        asked: Asked<'_>,
        kind: FactorKind,
        code: &TypedCode,
        permit: CodePermit,
    ) -> CodeJudged {
        // The directory counts for all hosts, and lets somebody whom an admin unlocked.
        match self.ask_directory(asked, code).await {
            CodeAnswered::Yes(checked) => self.judge_burnt(asked, checked).await,
            CodeAnswered::No(reason) if reason == "too_many_tries" => CodeJudged::Locked,
            CodeAnswered::No(reason) if reason == "code_used" => CodeJudged::Wrong("code_used"),
            CodeAnswered::No(_) => CodeJudged::Wrong("code_wrong"),
            CodeAnswered::Odd => CodeJudged::CannotTell("directory_odd"),
            CodeAnswered::Silent if permit == CodePermit::Locked => CodeJudged::Locked,
            CodeAnswered::Silent => self.judge_alone(asked, kind, code).await,
        }
    }

    /// Burnt by the directory; it may have been taken here while that was away.
    async fn judge_burnt(&self, asked: Asked<'_>, checked: CodeChecked) -> CodeJudged {
        let user = asked.person.id.clone();
        let burnt = match (checked.kind, checked.step) {
            (FactorKind::BackupCode, _) => Burnt::BackupCode(checked.device),
            (_, Some(step)) => Burnt::Step(checked.device, step),
            (_, None) => Burnt::OneTouch,
        };
        let taken = self
            .with_ledger(move |ledger, disk| ledger.taken_elsewhere(disk, &user, &burnt))
            .await;
        match taken {
            Ok(true) => CodeJudged::Right,
            Ok(false) => CodeJudged::Wrong("code_used"),
            Err(_) => CodeJudged::CannotTell("not_written"),
        }
    }

    async fn ask_directory(&self, asked: Asked<'_>, code: &TypedCode) -> CodeAnswered {
        let text = text_of(code);
        let mut check = CodeCheck {
            username: asked.person.username.to_string(),
            code: text.to_owned(),
            service: asked.login.service.clone(),
            source: asked.login.remote_host.clone(),
        };
        let answered = self.check_code_online(&check).await;
        check.code.zeroize();
        answered
    }

    /// The directory is away: what the bundle knows decides.
    async fn judge_alone(
        &self,
        asked: Asked<'_>,
        kind: FactorKind,
        code: &TypedCode,
    ) -> CodeJudged {
        let elevating = elevates(&asked.login.service);
        match (kind, self.offline_code(asked.factors, elevating)) {
            (FactorKind::Totp, OfflineCode::Until(_)) => self.judge_by_bits(asked, code).await,
            (FactorKind::Totp, OfflineCode::ClockBehind) => CodeJudged::CannotTell("clock_behind"),
            (FactorKind::Totp, OfflineCode::RanOut(_)) => CodeJudged::CannotTell("horizon_over"),
            (FactorKind::Totp, OfflineCode::Never) => CodeJudged::CannotTell("offline_codes_off"),
            (FactorKind::BackupCode, _) if self.offline_backup_codes(asked.factors) => {
                self.judge_backup_code(asked, code).await
            }
            (
                FactorKind::BackupCode
                | FactorKind::YubikeyOtp
                | FactorKind::HardwareKey
                | FactorKind::Cert,
                _,
            ) => CodeJudged::CannotTell("needs_directory"),
        }
    }

    async fn judge_by_bits(&self, asked: Asked<'_>, code: &TypedCode) -> CodeJudged {
        let user = asked.person.id.clone();
        let Ok(kept) = self.kept(&user).await else {
            return CodeJudged::CannotTell("not_counted");
        };
        let devices = self.devices(&user, &kept);
        let behind = self.clock_behind();
        let moment = match behind {
            // Signed time has come from somewhere else and stands still; what is typed is of now.
            Some(_) => self.wall(),
            None => self.now(),
        };
        let steps = Steps::at(moment, self.since_boot());
        let found = steps.matching(&user, text_of(code), &devices);
        let Some((device, step)) = found.map(|(device, step)| (device.id.clone(), step)) else {
            let used = steps.were_taken(&user, text_of(code), &devices);
            return CodeJudged::Wrong(if used { "code_used" } else { "code_wrong" });
        };
        let named = device.clone();
        let taken = self
            .with_ledger(move |ledger, disk| ledger.take_step(disk, &user, &device, step))
            .await;
        let mut event = Event::new("auth.mfa_offline", "success")
            .user(asked.person.username.as_str())
            .detail("tier", "check-bits")
            .detail("device", named.as_str())
            .detail("step", step)
            .detail("service", asked.login.service.as_str());
        if let Some(behind) = behind {
            event = event.detail("clock_behind_seconds", behind.as_secs());
        }
        self.judged_alone(taken, event).await
    }

    async fn judge_backup_code(&self, asked: Asked<'_>, code: &TypedCode) -> CodeJudged {
        let user = asked.person.id.clone();
        let Ok(kept) = self.kept(&user).await else {
            return CodeJudged::CannotTell("not_counted");
        };
        let typed = Zeroizing::new(text_of(code).to_owned());
        let tables = self.tables();
        let records = tables.factors_of(&user).into_iter();
        let unspent = records
            .flat_map(|record| &record.backup_codes)
            .filter(|record| !kept.spent.contains(&record.id));
        let mut fitting = None;
        // All of them, so that the time does not tell which one fits.
        for record in unspent {
            let verifier = Some(record.verifier.clone());
            if self.compare(verifier, &typed).await == Checked::Right {
                fitting = Some(record.id.clone());
            }
        }
        let Some(id) = fitting else {
            return CodeJudged::Wrong("code_wrong");
        };
        let named = id.clone();
        let spent = self
            .with_ledger(move |ledger, disk| ledger.spend(disk, &user, &id))
            .await;
        let event = Event::new("auth.mfa_offline", "success")
            .user(asked.person.username.as_str())
            .detail("tier", "backup-code")
            .detail("code", named)
            .detail("service", asked.login.service.as_str());
        self.judged_alone(spent, event).await
    }

    /// Durable, and in the log for the directory, before it counts.
    async fn judged_alone(&self, taken: io::Result<bool>, event: Event) -> CodeJudged {
        match taken {
            Ok(true) => {
                self.record(event).await;
                CodeJudged::Right
            }
            Ok(false) => CodeJudged::Wrong("code_used"),
            Err(error) => {
                tracing::error!(%error, "a code could not be burnt, so it does not count");
                CodeJudged::CannotTell("not_written")
            }
        }
    }

    async fn after_judging(&self, asked: Asked<'_>, permit: CodePermit, judged: CodeJudged) {
        let user = asked.person.id.clone();
        match (judged, permit) {
            (CodeJudged::CannotTell(_), CodePermit::Counted { .. }) => {
                let taken = self
                    .with_ledger(move |ledger, disk| ledger.take_back(disk, &user))
                    .await;
                if let Err(error) = taken {
                    tracing::warn!(%error, "a code that was not judged stays counted");
                }
            }
            (
                CodeJudged::Wrong(_),
                CodePermit::Counted {
                    locks_before: Some(locks),
                },
            ) => {
                let event = Event::new("auth.locked_out", "denied")
                    .user(asked.person.username.as_str())
                    .detail("what", "codes")
                    .detail("locks_before", locks);
                self.record(event).await;
            }
            (CodeJudged::Right, _) => {
                let now = self.since_boot();
                self.remembered.note(&user, asked.login, now);
            }
            (CodeJudged::Wrong(_) | CodeJudged::Locked | CodeJudged::CannotTell(_), _) => {}
        }
    }

    fn devices(&self, user: &str, kept: &Kept) -> Vec<Device> {
        let tables = self.tables();
        let records = tables.check_bits_of(user);
        let read = records.filter_map(|record| {
            Some(Device {
                id: record.device.clone(),
                bits: CheckBits::read(record)?,
                last_step: kept.last_steps.get(&record.device).copied(),
            })
        });
        read.collect()
    }

    fn code_strictness(&self, factors: &Factors) -> CodeStrictness {
        let config = self.config();
        let own_lock = i64::try_from(config.offline.lock_for.as_millis()).unwrap_or(i64::MAX);
        let lock = i64::try_from(factors.code_lock_seconds).unwrap_or(i64::MAX);
        CodeStrictness {
            tries: factors.code_tries.min(config.offline.code_tries),
            lock_ms: lock.saturating_mul(1000).max(own_lock),
        }
    }

    pub(crate) fn offline_backup_codes(&self, factors: &Factors) -> bool {
        factors.offline_backup_codes && self.config().offline.backup_codes
    }

    /// What is kept about a person's factors.
    pub(crate) async fn kept(&self, user: &str) -> io::Result<Kept> {
        let user = user.to_owned();
        self.with_ledger(move |ledger, _| ledger.of(&user)).await
    }

    /// Works on the ledger on a thread of its own.
    pub(crate) async fn with_ledger<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Ledger, &dyn crate::disk::Disk) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (ledger, disk) = (Arc::clone(&self.ledger), Arc::clone(&self.disk));
        tokio::task::spawn_blocking(move || work(&ledger, &*disk))
            .await
            .map_err(io::Error::other)?
    }
}

fn kind_of(code: &TypedCode) -> FactorKind {
    match code {
        TypedCode::OneTime(_) => FactorKind::Totp,
        TypedCode::YubikeyOtp(_) => FactorKind::YubikeyOtp,
        TypedCode::BackupCode(_) => FactorKind::BackupCode,
    }
}

fn text_of(code: &TypedCode) -> &str {
    match code {
        TypedCode::OneTime(text) | TypedCode::YubikeyOtp(text) | TypedCode::BackupCode(text) => {
            text
        }
    }
}

fn wipe(code: TypedCode) {
    match code {
        TypedCode::OneTime(mut text)
        | TypedCode::YubikeyOtp(mut text)
        | TypedCode::BackupCode(mut text) => text.zeroize(),
    }
}
