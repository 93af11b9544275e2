//! A program that does nothing: what starting and ending any program takes.
#![forbid(unsafe_code)]

fn main() {}
