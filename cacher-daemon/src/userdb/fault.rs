//! Errors as varlink names them.

use serde_json::{Value, json};

use crate::lookups::Unavailable;

/// Why a call gets no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is nobody of this name or id.
    NoRecordFound,
    /// Somebody has the name, somebody else the id.
    ConflictingRecordFound,
    /// The record does not fit the filters.
    NonMatchingRecordFound,
    /// The call is for another service.
    BadService,
    /// Nobody can tell at the moment.
    ServiceNotAvailable,
    /// Users and groups are not listed on this host.
    EnumerationNotSupported,
    /// More than one reply would come, and only one was asked for.
    ExpectedMore,
    /// An argument is unknown or of the wrong kind.
    InvalidParameter(String),
    /// There is no such method.
    MethodNotFound(String),
    /// The method exists and does not do this.
    MethodNotImplemented(String),
    /// There is no such interface.
    InterfaceNotFound(String),
}

impl From<Unavailable> for Fault {
    fn from(_: Unavailable) -> Self {
        Self::ServiceNotAvailable
    }
}

impl Fault {
    /// The whole reply.
    pub(super) fn reply(&self) -> Value {
        let database = |name: &str| (format!("io.systemd.UserDatabase.{name}"), json!({}));
        let varlink = |name: &str| format!("org.varlink.service.{name}");
        let (error, parameters) = match self {
            Self::NoRecordFound => database("NoRecordFound"),
            Self::ConflictingRecordFound => database("ConflictingRecordFound"),
            Self::NonMatchingRecordFound => database("NonMatchingRecordFound"),
            Self::BadService => database("BadService"),
            Self::ServiceNotAvailable => database("ServiceNotAvailable"),
            Self::EnumerationNotSupported => database("EnumerationNotSupported"),
            Self::ExpectedMore => (varlink("ExpectedMore"), json!({})),
            Self::InvalidParameter(name) => {
                (varlink("InvalidParameter"), json!({ "parameter": name }))
            }
            Self::MethodNotFound(name) => (varlink("MethodNotFound"), json!({ "method": name })),
            Self::MethodNotImplemented(name) => {
                (varlink("MethodNotImplemented"), json!({ "method": name }))
            }
            Self::InterfaceNotFound(name) => {
                (varlink("InterfaceNotFound"), json!({ "interface": name }))
            }
        };
        json!({ "error": error, "parameters": parameters })
    }
}
