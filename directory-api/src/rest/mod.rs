//! `/api/v1`: what people, scripts and the command line say to the directory and hear back.
//!
//! Rules for every type: a request refuses fields it does not know; an answer may gain fields.
//! `PATCH` takes a JSON merge patch (RFC 7396) of the type whose name ends in `Settings`. Wherever
//! a path or a field names an object, its id or its name will do.

mod access_rules;
mod api_tokens;
mod auth;
mod enrollment_tokens;
mod events;
mod explain;
mod groups;
mod hosts;
mod invitations;
mod me;
mod mfa;
mod pages;
mod password_policy;
mod policies;
mod preview;
mod problem;
mod projects;
mod roles;
mod secret;
mod ssh_keys;
mod system;
mod tags;
mod time;
mod users;

pub use access_rules::{AccessRule, AccessRuleSettings, RuleSubject};
pub use api_tokens::{ApiToken, ApiTokenCreated, NewApiToken, Scope};
pub use auth::{BootstrapRequest, Identity, LoginRequest, MfaRequest, SecondStep, SessionCreated};
pub use enrollment_tokens::{EnrollmentToken, EnrollmentTokenCreated, NewEnrollmentToken};
pub use events::{Event, EventObject, EventsVerified};
pub use explain::{ExplainAnswer, ExplainQuestion, ExplainStep};
pub use groups::{Group, GroupMember, GroupMembers, GroupSettings, MembersChange};
pub use hosts::{ConfirmRemovals, Host, HostSettings, HostUser, TagsChange, TagsChanged};
pub use invitations::{
    EnrollPassword, EnrollTest, Enrolled, Enrollment, EnrollmentOpened, InvitationCreated,
    PasswordStrength,
};
pub use me::{AccessibleHost, Me, PasswordChange};
pub use mfa::{
    BackupCodes, BackupCodesCreated, MfaDevice, MfaTested, NewTotp, NewYubikey, StepUp, TotpBegun,
    TypedFactor,
};
pub use pages::{Page, PageQuery};
pub use password_policy::{PasswordPolicy, PasswordPolicySettings, PasswordProfile};
pub use policies::{
    EffectiveField, EffectivePolicy, MfaSettings, OfflineSettings, Policy, PolicySettings, Span,
};
pub use preview::{
    Change, Enforcement, EnforcementReport, EnforcementState, Preview, ProofChange, Reach,
};
pub use problem::{FieldProblem, PROBLEM_TYPE_PREFIX, Problem};
pub use projects::{Project, ProjectSettings};
pub use roles::{NewRoleAssignment, Role, RoleAssignment, RoleDescription};
pub use secret::{Secret, same};
pub use ssh_keys::{NewSshKey, SshKey};
pub use system::{Health, Version};
pub use tags::Tag;
pub use time::{BadLifetime, Lifetime, Time};
pub use users::{NewUser, PasswordReset, PasswordStatus, User, UserReason, UserSettings};
