//! `pam_cloudid.so`: relays a login's conversation between PAM and the cacher. It holds no policy,
//! no cryptography and no state but a name; what it cannot answer it leaves to the next module,
//! and a local name it leaves there before any socket is opened.
#![deny(unsafe_code)]

#[cfg(all(feature = "test-socket-path", not(debug_assertions)))]
compile_error!("test-socket-path would let a line in /etc/pam.d name the process that is believed");

mod answer;
mod codes;
mod dialogue;
mod ffi;
mod hooks;
mod line;
mod local;
mod log;
mod options;
mod person;
mod text;
