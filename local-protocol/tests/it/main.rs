//! What crosses the sockets of a host, and what a client makes of peers that misbehave.

#[cfg(test)]
mod client;
#[cfg(test)]
mod document;
#[cfg(test)]
mod encoding;
#[cfg(test)]
mod files;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod small;
