//! TLS: the private CA, and the listener (TLS 1.3 only, client certificates optional).

mod authority;
mod listener;
mod places;

pub use authority::{Authority, AuthorityError, IssuedServer};
pub use listener::{ListenError, PeerCertificate, RemoteAddress, acceptor, serve};
