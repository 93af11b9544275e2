//! The engine through its boundary: examples for each reason, and random worlds against a second
//! implementation.

#[cfg(test)]
mod examples;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod schedule;
#[cfg(test)]
mod selector;
#[cfg(test)]
mod unreadable;
#[cfg(test)]
mod worlds;
