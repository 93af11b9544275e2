//! Calls what glibc calls.
