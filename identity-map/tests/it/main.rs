//! Tests of the map through its public surface.

#[cfg(test)]
mod damage;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod round_trip;
#[cfg(test)]
mod sample;
