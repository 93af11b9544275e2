//! Messages on the Unix sockets of a host, their frames, their limits and a blocking client. Knows
//! nothing of async, and parses nothing but what it defines itself.
#![forbid(unsafe_code)]

mod client;
mod deadline;
mod frame;
mod message;
mod secret;
mod small;
mod trust;

pub use client::{Client, ClientError, Files};
pub use frame::{
    FRAME_BYTES_MAX, FrameError, HEADER_BYTES, PROTOCOL_VERSION, body_length, decode, encode,
};
pub use message::*;
pub use secret::Secret;
pub use small::{Known, SmallFrame, Sought, owner};
pub use trust::{Trust, Untrusted};

/// Where the sockets of the cacher and the helper lie. Compiled in: modules, sshd and early boot
/// rely on it, and no environment variable can point them elsewhere.
pub const RUN_DIRECTORY: &str = "/run/cloudid";
/// PAM: any process may connect, the table decides.
pub const PAM_SOCKET: &str = "/run/cloudid/pam.sock";
/// NSS: the map as a memory file, and owners of what it lacks.
pub const NSS_SOCKET: &str = "/run/cloudid/nss.sock";
/// People on this host.
pub const USER_SOCKET: &str = "/run/cloudid/user.sock";
/// sshd's key commands.
pub const KEYS_SOCKET: &str = "/run/cloudid/keys.sock";
/// Root's verbs.
pub const ADMIN_SOCKET: &str = "/run/cloudid/admin.sock";
/// Cacher to helper.
pub const HELPER_SOCKET: &str = "/run/cloudid/helper.sock";
