//! The directory through its own doors: HTTP requests in, answers and database out.

#[cfg(test)]
mod agent_bundle;
#[cfg(test)]
mod agent_caller;
#[cfg(test)]
mod agent_certificates;
#[cfg(test)]
mod agent_codes;
#[cfg(test)]
mod agent_enroll;
#[cfg(test)]
mod agent_events;
#[cfg(test)]
mod agent_offline_codes;
#[cfg(test)]
mod agent_passwords;
#[cfg(test)]
mod agent_runs;
#[cfg(test)]
mod agent_stream;
#[cfg(test)]
mod agent_world;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod comparisons;
#[cfg(test)]
mod disaster;
#[cfg(test)]
mod installed;
#[cfg(test)]
mod kick_start;
#[cfg(test)]
mod notices;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod pages_factors;
#[cfg(test)]
mod people_world;
#[cfg(test)]
mod publish_canaries;
#[cfg(test)]
mod publish_renewal;
#[cfg(test)]
mod publish_slices;
#[cfg(test)]
mod publish_upkeep;
#[cfg(test)]
mod relay;
#[cfg(test)]
mod rescue;
#[cfg(test)]
mod rest_access;
#[cfg(test)]
mod rest_audit;
#[cfg(test)]
mod rest_bodies;
#[cfg(test)]
mod rest_enroll;
#[cfg(test)]
mod rest_lists;
#[cfg(test)]
mod rest_login;
#[cfg(test)]
mod rest_mfa;
#[cfg(test)]
mod rest_people;
#[cfg(test)]
mod rest_policies;
#[cfg(test)]
mod rest_resets;
#[cfg(test)]
mod rest_sign_in;
#[cfg(test)]
mod rest_takeover;
#[cfg(test)]
mod sign_in_queue;
#[cfg(test)]
mod validation_server;
#[cfg(test)]
mod yubikeys;
