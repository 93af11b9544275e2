//! What the service says of itself: `org.varlink.service`.

use serde_json::{Value, json};

use super::arguments::Arguments;
use super::fault::Fault;

pub(super) const VARLINK: &str = "org.varlink.service";
pub(super) const DATABASE: &str = "io.systemd.UserDatabase";

const VARLINK_DESCRIPTION: &str = "\
interface org.varlink.service

method GetInfo() -> (vendor: string, product: string, version: string, url: string, interfaces: []string)
method GetInterfaceDescription(interface: string) -> (description: string)

error InterfaceNotFound(interface: string)
error MethodNotFound(method: string)
error MethodNotImplemented(method: string)
error InvalidParameter(parameter: string)
error ExpectedMore()
";

const DATABASE_DESCRIPTION: &str = "\
# People of the directory on this host
interface io.systemd.UserDatabase

method GetUserRecord(uid: ?int, userName: ?string, fuzzyNames: ?[]string, \
dispositionMask: ?[]string, uidMin: ?int, uidMax: ?int, service: string) \
-> (record: object, incomplete: bool)
method GetGroupRecord(gid: ?int, groupName: ?string, fuzzyNames: ?[]string, \
dispositionMask: ?[]string, gidMin: ?int, gidMax: ?int, service: string) \
-> (record: object, incomplete: bool)
method GetMemberships(userName: ?string, groupName: ?string, service: string) \
-> (userName: string, groupName: string)

error NoRecordFound()
error BadService()
error ServiceNotAvailable()
error ConflictingRecordFound()
error NonMatchingRecordFound()
error EnumerationNotSupported()
";

/// What is served here.
pub(super) fn info() -> Value {
    json!({
        "vendor": "cloudid",
        "product": "cloudid-cacher",
        "version": env!("CARGO_PKG_VERSION"),
        "url": "",
        "interfaces": [VARLINK, DATABASE],
    })
}

/// An interface in varlink's own language.
pub(super) fn description(mut arguments: Arguments) -> Result<Value, Fault> {
    let name = arguments.text("interface")?;
    arguments.finish()?;
    let description = match name.as_deref() {
        Some(VARLINK) => VARLINK_DESCRIPTION,
        Some(DATABASE) => DATABASE_DESCRIPTION,
        Some(other) => return Err(Fault::InterfaceNotFound(other.to_owned())),
        None => return Err(Fault::InvalidParameter("interface".to_owned())),
    };
    Ok(json!({ "description": description }))
}
