//! The settings as they stand in the merged file, before their values are checked.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) server: RawServer,
    pub(super) storage: RawStorage,
    pub(super) keys: RawKeys,
    pub(super) publish: RawPublish,
    pub(super) auth: RawAuth,
    pub(super) password: RawPassword,
    pub(super) mail: RawMail,
    pub(super) yubico: RawYubico,
    pub(super) packages: RawPackages,
    pub(super) limits: RawLimits,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawServer {
    pub(super) listen: String,
    pub(super) public_url: String,
    pub(super) tls_cert: String,
    pub(super) tls_key: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStorage {
    pub(super) url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKeys {
    pub(super) root_chain: String,
    pub(super) signing_key: String,
    pub(super) signing_ttl: String,
    pub(super) bundle_ttl: String,
    pub(super) ca_cert: String,
    pub(super) ca_key: String,
    pub(super) host_certificate_ttl: String,
    pub(super) totp_key_file: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPublish {
    pub(super) canaries: String,
    pub(super) canary_wait: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAuth {
    pub(super) session_max: String,
    pub(super) idle: String,
    pub(super) lock_after: i64,
    pub(super) lock_window: String,
    pub(super) lock_for: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPassword {
    pub(super) min_length: i64,
    pub(super) argon2_memory_kib: i64,
    pub(super) argon2_passes: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMail {
    pub(super) smtp: String,
    pub(super) from: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLimits {
    pub(super) login_per_minute_ip: i64,
    pub(super) login_per_minute_user: i64,
    pub(super) argon2_parallel: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawYubico {
    pub(super) client_id: String,
    pub(super) secret_file: String,
    pub(super) urls: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPackages {
    pub(super) folder: String,
}
