//! Tests of the map through its public surface.

mod damage;
mod limits;
mod round_trip;
mod sample;
