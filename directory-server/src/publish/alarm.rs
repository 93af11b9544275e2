//! Says in the audit log that bundles cannot be made: once when it begins or its reason changes,
//! and once when it is over. Hosts go on with what they have, and nobody would notice.

use crate::act::Act;
use crate::audit::{Draft, Outcome, Severity};
use crate::http::{Origin, Refused};
use crate::state::AppState;

/// Why nothing could be published at the last try; `None` while all is well.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<String>);

impl Alarm {
    /// Compares with the last try. What cannot be written down now is written at the next one.
    pub(super) async fn raise(&mut self, app: &AppState, why: Option<&str>) {
        if self.0.as_deref() == why {
            return;
        }
        match written(app, why).await {
            Ok(()) => self.0 = why.map(str::to_owned),
            Err(refused) => tracing::error!(why = refused.detail(), "an alarm was not written"),
        }
    }
}

async fn written(app: &AppState, why: Option<&str>) -> Result<(), Refused> {
    let draft = match why {
        Some(why) => Draft::new("bundle.publish_failed")
            .outcome(Outcome::Error)
            .severity(Severity::Critical)
            .detail("why", why),
        None => Draft::new("bundle.publish_recovered").severity(Severity::Notice),
    };
    let origin = Origin::of_system(app.clock.now());
    let mut act = Act::begin(app, &origin).await?;
    act.record(draft).await?;
    act.finish_empty().await.map(drop)
}
