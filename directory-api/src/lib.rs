//! The HTTP contract: requests, answers and problems of `/api/v1` (people and programs) and
//! `/agent/v1` (hosts). Knows nothing of how either side works.
#![forbid(unsafe_code)]

pub mod agent;
pub mod rest;
