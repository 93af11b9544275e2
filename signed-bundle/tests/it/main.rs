//! What a host accepts and what it refuses, through the public functions only.

#[cfg(test)]
mod acceptance;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod host_secrets;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod newer;
#[cfg(test)]
mod records;
#[cfg(test)]
mod reuse;
#[cfg(test)]
mod roots;
#[cfg(test)]
mod sealed;
#[cfg(test)]
mod shrinking;
#[cfg(test)]
mod since;
#[cfg(test)]
mod world;
