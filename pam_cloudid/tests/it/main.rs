//! The module as libpam loads it: a program that calls PAM, a line in a service file, and a
//! cacher that follows a script.

#[cfg(test)]
mod cacher;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod program;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod steps;
