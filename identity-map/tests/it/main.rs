//! Tests of the map through its public surface.

#[cfg(test)]
mod damage;
#[cfg(test)]
mod ffi;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod memory;
mod private_groups;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod sample;
