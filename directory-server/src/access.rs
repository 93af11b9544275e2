//! Who may call what, written once. A call that is not in this table is refused.

use axum::http::Method;
use directory_api::rest::{Role, Scope};

use crate::http::{Caller, Refused};

/// What a call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: these are the only calls that answer strangers.
    Anonymous,
    /// Being signed in; the call speaks only of the caller.
    Own,
    /// Being signed in as a person (not by an API token); the call changes the caller's own
    /// credentials.
    OwnCredentials,
    /// A role that allows this.
    Needs(Action),
}

/// What roles allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Look at people, groups, hosts, rules and tokens.
    Read,
    /// Look at events.
    ReadEvents,
    /// Change users, their passwords and keys.
    ChangeUsers,
    /// Change groups and their members.
    ChangeGroups,
    /// Change hosts, tags and projects.
    ChangeHosts,
    /// Change access rules, policies and what passwords must be.
    ChangeRules,
    /// Make and revoke enrolment tokens.
    ChangeEnrollment,
    /// Give and take roles.
    ChangeRoles,
}

use Access::{Anonymous, Needs, Own, OwnCredentials};
use Action::{
    ChangeEnrollment, ChangeGroups, ChangeHosts, ChangeRoles, ChangeRules, ChangeUsers, Read,
    ReadEvents,
};

/// Every call of `/api/v1` with what it takes.
pub const TABLE: &[(&str, &str, Access)] = &[
    ("GET", "/api/v1/openapi.json", Anonymous),
    ("POST", "/api/v1/auth/bootstrap", Anonymous),
    ("POST", "/api/v1/auth/login", Anonymous),
    ("POST", "/api/v1/auth/mfa", Anonymous),
    ("GET", "/api/v1/enroll/{code}", Anonymous),
    ("POST", "/api/v1/enroll/{code}/open", Anonymous),
    ("POST", "/api/v1/enroll/{code}/strength", Anonymous),
    ("POST", "/api/v1/enroll/{code}/password", Anonymous),
    ("POST", "/api/v1/enroll/{code}/ssh-key", Anonymous),
    ("POST", "/api/v1/enroll/{code}/totp", Anonymous),
    ("POST", "/api/v1/enroll/{code}/totp/{id}/confirm", Anonymous),
    ("POST", "/api/v1/enroll/{code}/yubikey", Anonymous),
    ("POST", "/api/v1/enroll/{code}/backup-codes", Anonymous),
    (
        "POST",
        "/api/v1/enroll/{code}/backup-codes/confirm",
        Anonymous,
    ),
    ("POST", "/api/v1/enroll/{code}/test", Anonymous),
    ("POST", "/api/v1/enroll/{code}/finish", Anonymous),
    ("POST", "/api/v1/auth/logout", Own),
    ("POST", "/api/v1/auth/renew", OwnCredentials),
    ("GET", "/api/v1/auth/session", Own),
    ("GET", "/api/v1/me", Own),
    ("GET", "/api/v1/me/access", Own),
    ("POST", "/api/v1/me/password", OwnCredentials),
    ("GET", "/api/v1/me/ssh-keys", Own),
    ("POST", "/api/v1/me/ssh-keys", OwnCredentials),
    ("DELETE", "/api/v1/me/ssh-keys/{id}", OwnCredentials),
    ("POST", "/api/v1/auth/step-up", OwnCredentials),
    ("GET", "/api/v1/me/mfa", Own),
    ("POST", "/api/v1/me/mfa/totp", OwnCredentials),
    ("POST", "/api/v1/me/mfa/totp/{id}/confirm", OwnCredentials),
    ("POST", "/api/v1/me/mfa/yubikey", OwnCredentials),
    ("POST", "/api/v1/me/mfa/test", OwnCredentials),
    ("DELETE", "/api/v1/me/mfa/{id}", OwnCredentials),
    ("DELETE", "/api/v1/me/resets", OwnCredentials),
    ("GET", "/api/v1/me/backup-codes", Own),
    ("POST", "/api/v1/me/backup-codes", OwnCredentials),
    ("POST", "/api/v1/me/backup-codes/confirm", OwnCredentials),
    ("GET", "/api/v1/tokens", Own),
    ("POST", "/api/v1/tokens", OwnCredentials),
    ("DELETE", "/api/v1/tokens/{id}", Own),
    ("GET", "/api/v1/users", Needs(Read)),
    ("POST", "/api/v1/users", Needs(ChangeUsers)),
    ("GET", "/api/v1/users/{id}", Needs(Read)),
    ("PATCH", "/api/v1/users/{id}", Needs(ChangeUsers)),
    ("DELETE", "/api/v1/users/{id}", Needs(ChangeUsers)),
    ("POST", "/api/v1/users/{id}/activate", Needs(ChangeUsers)),
    ("POST", "/api/v1/users/{id}/invite", Needs(ChangeUsers)),
    ("POST", "/api/v1/users/{id}/suspend", Needs(ChangeUsers)),
    ("POST", "/api/v1/users/{id}/unlock", Needs(ChangeUsers)),
    ("POST", "/api/v1/users/{id}/offboard", Needs(ChangeUsers)),
    (
        "POST",
        "/api/v1/users/{id}/reset-password",
        Needs(ChangeUsers),
    ),
    ("POST", "/api/v1/users/{id}/reset-mfa", Needs(ChangeUsers)),
    ("GET", "/api/v1/users/{id}/access", Needs(Read)),
    ("GET", "/api/v1/users/{id}/enforcement", Needs(Read)),
    ("GET", "/api/v1/users/{id}/ssh-keys", Needs(Read)),
    ("POST", "/api/v1/users/{id}/ssh-keys", Needs(ChangeUsers)),
    (
        "DELETE",
        "/api/v1/users/{id}/ssh-keys/{key}",
        Needs(ChangeUsers),
    ),
    ("GET", "/api/v1/groups", Needs(Read)),
    ("POST", "/api/v1/groups", Needs(ChangeGroups)),
    ("GET", "/api/v1/groups/{id}", Needs(Read)),
    ("PATCH", "/api/v1/groups/{id}", Needs(ChangeGroups)),
    ("DELETE", "/api/v1/groups/{id}", Needs(ChangeGroups)),
    ("GET", "/api/v1/groups/{id}/members", Needs(Read)),
    ("POST", "/api/v1/groups/{id}/members", Needs(ChangeGroups)),
    ("GET", "/api/v1/projects", Needs(Read)),
    ("POST", "/api/v1/projects", Needs(ChangeHosts)),
    ("GET", "/api/v1/projects/{id}", Needs(Read)),
    ("PATCH", "/api/v1/projects/{id}", Needs(ChangeHosts)),
    ("DELETE", "/api/v1/projects/{id}", Needs(ChangeHosts)),
    ("GET", "/api/v1/tags", Needs(Read)),
    ("GET", "/api/v1/hosts", Needs(Read)),
    ("POST", "/api/v1/hosts/tags", Needs(ChangeHosts)),
    ("GET", "/api/v1/hosts/{id}", Needs(Read)),
    ("PATCH", "/api/v1/hosts/{id}", Needs(ChangeHosts)),
    ("POST", "/api/v1/hosts/{id}/approve", Needs(ChangeHosts)),
    ("POST", "/api/v1/hosts/{id}/reject", Needs(ChangeHosts)),
    ("POST", "/api/v1/hosts/{id}/quarantine", Needs(ChangeHosts)),
    (
        "POST",
        "/api/v1/hosts/{id}/unquarantine",
        Needs(ChangeHosts),
    ),
    ("POST", "/api/v1/hosts/{id}/retire", Needs(ChangeHosts)),
    ("POST", "/api/v1/hosts/{id}/sync", Needs(ChangeHosts)),
    (
        "POST",
        "/api/v1/hosts/{id}/confirm-removals",
        Needs(ChangeHosts),
    ),
    ("GET", "/api/v1/hosts/{id}/users", Needs(Read)),
    ("GET", "/api/v1/hosts/{id}/facts", Needs(Read)),
    ("GET", "/api/v1/hosts/{id}/enforcement", Needs(Read)),
    ("GET", "/api/v1/access-rules", Needs(Read)),
    ("POST", "/api/v1/access-rules", Needs(ChangeRules)),
    ("GET", "/api/v1/access-rules/{id}", Needs(Read)),
    ("PATCH", "/api/v1/access-rules/{id}", Needs(ChangeRules)),
    ("DELETE", "/api/v1/access-rules/{id}", Needs(ChangeRules)),
    ("GET", "/api/v1/policies", Needs(Read)),
    ("POST", "/api/v1/policies", Needs(ChangeRules)),
    ("GET", "/api/v1/policies/{id}", Needs(Read)),
    ("PATCH", "/api/v1/policies/{id}", Needs(ChangeRules)),
    ("DELETE", "/api/v1/policies/{id}", Needs(ChangeRules)),
    ("GET", "/api/v1/hosts/{id}/effective-policy", Needs(Read)),
    ("GET", "/api/v1/enrollment-tokens", Needs(Read)),
    ("POST", "/api/v1/enrollment-tokens", Needs(ChangeEnrollment)),
    (
        "DELETE",
        "/api/v1/enrollment-tokens/{id}",
        Needs(ChangeEnrollment),
    ),
    ("GET", "/api/v1/roles", Needs(Read)),
    ("GET", "/api/v1/role-assignments", Needs(Read)),
    ("POST", "/api/v1/role-assignments", Needs(ChangeRoles)),
    (
        "DELETE",
        "/api/v1/role-assignments/{id}",
        Needs(ChangeRoles),
    ),
    ("POST", "/api/v1/explain", Needs(Read)),
    ("GET", "/api/v1/who-can", Needs(Read)),
    ("GET", "/api/v1/what-can", Needs(Read)),
    ("GET", "/api/v1/password-policy", Needs(Read)),
    ("PATCH", "/api/v1/password-policy", Needs(ChangeRules)),
    ("GET", "/api/v1/events", Needs(ReadEvents)),
    ("GET", "/api/v1/events/stream", Needs(ReadEvents)),
    ("GET", "/api/v1/events/verify", Needs(ReadEvents)),
    ("GET", "/api/v1/events/{id}", Needs(ReadEvents)),
];

/// What a person must do before anything else with a password that somebody else set.
const BEFORE_NEW_PASSWORD: &[&str] = &[
    "/api/v1/me/password",
    "/api/v1/me",
    "/api/v1/auth/session",
    "/api/v1/auth/renew",
    "/api/v1/auth/logout",
];

/// What a person may do besides changing their password while policy asks for a second factor that
/// they have not enrolled.
fn serves_enrolling(path: &str) -> bool {
    BEFORE_NEW_PASSWORD.contains(&path)
        || path.starts_with("/api/v1/me/mfa")
        || path.starts_with("/api/v1/me/backup-codes")
        || path == "/api/v1/auth/step-up"
}

/// All actions, for those who hold everything.
pub const ACTIONS: &[Action] = &[
    Read,
    ReadEvents,
    ChangeUsers,
    ChangeGroups,
    ChangeHosts,
    ChangeRules,
    ChangeEnrollment,
    ChangeRoles,
];

/// What the table says about a call; `None` is a no.
#[must_use]
pub fn of_call(method: &Method, path: &str) -> Option<Access> {
    let method = if method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    TABLE
        .iter()
        .find(|(of, at, _)| *of == method && *at == path)
        .map(|(_, _, access)| *access)
}

/// Whether a role allows an action.
#[must_use]
pub fn role_allows(role: Role, action: Action) -> bool {
    match role {
        Role::Owner => true,
        Role::DirectoryAdmin => action != ChangeRoles,
        Role::ReadOnly => matches!(action, Read | ReadEvents),
    }
}

/// Whether a token's scope covers an action; what its owner may do is asked besides.
#[must_use]
pub fn scope_covers(scope: Scope, action: Action) -> bool {
    match scope {
        Scope::All => true,
        Scope::Read => matches!(action, Read | ReadEvents),
        Scope::Users => matches!(action, Read | ChangeUsers),
        Scope::Groups => matches!(action, Read | ChangeGroups),
        Scope::Hosts => matches!(action, Read | ChangeHosts),
        Scope::Rules => matches!(action, Read | ChangeRules),
        Scope::EnrollmentTokens => matches!(action, Read | ChangeEnrollment),
    }
}

/// Whether this caller may make this call.
///
/// # Errors
/// Why not.
pub fn check(access: Access, caller: &Caller, method: &Method, path: &str) -> Result<(), Refused> {
    if caller.must_change_password && !BEFORE_NEW_PASSWORD.contains(&path) {
        return Err(Refused::forbidden("Somebody else has set your password.")
            .hint("Choose one of your own first: POST /api/v1/me/password."));
    }
    if caller.must_enrol && !serves_enrolling(path) {
        return Err(Refused::forbidden(
            "Your organisation asks for a second factor, and you have enrolled none.",
        )
        .hint("Enrol one first: `cloudid mfa enroll totp`, or the page /me."));
    }
    match access {
        Anonymous => Ok(()),
        Own => match &caller.scopes {
            None => Ok(()),
            Some(scopes) if covers_own(scopes, method) => Ok(()),
            Some(_) => Err(Refused::forbidden(
                "This token's scopes do not cover this call.",
            )),
        },
        OwnCredentials if caller.scopes.is_none() => Ok(()),
        OwnCredentials => Err(Refused::forbidden(
            "A token cannot change the credentials of its owner; sign in as a person.",
        )),
        Needs(action) => needs(action, caller),
    }
}

fn covers_own(scopes: &[Scope], method: &Method) -> bool {
    let reading = method == Method::GET || method == Method::HEAD;
    reading || scopes.contains(&Scope::All)
}

fn needs(action: Action, caller: &Caller) -> Result<(), Refused> {
    if !caller.roles.iter().any(|role| role_allows(*role, action)) {
        return Err(Refused::forbidden("None of your roles allows this."));
    }
    let covered = caller
        .scopes
        .as_ref()
        .is_none_or(|scopes| scopes.iter().any(|scope| scope_covers(*scope, action)));
    if covered {
        Ok(())
    } else {
        Err(Refused::forbidden(
            "This token's scopes do not cover this call.",
        ))
    }
}

/// Whether this caller may change this person or what proves them: who holds a role can be changed
/// only by an owner, or an administrator could become one. The same goes for tokens: one of an
/// owner that is for users only must not set an owner's password and sign in with it.
///
/// # Errors
/// The person holds a role and the caller is no owner, or a token that does not cover everything.
pub fn may_change_person(caller: &Caller, person_holds_role: bool) -> Result<(), Refused> {
    if !person_holds_role {
        return Ok(());
    }
    let scopes = caller.scopes.as_deref();
    if scopes.is_some_and(|scopes| !scopes.contains(&Scope::All)) {
        return Err(Refused::forbidden(
            "This user holds a role in the directory; this token's scopes do not cover that.",
        ));
    }
    if !caller.roles.contains(&Role::Owner) {
        return Err(Refused::forbidden(
            "This user holds a role in the directory; only an owner may change them.",
        ));
    }
    Ok(())
}
