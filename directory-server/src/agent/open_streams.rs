//! Which streams a host has open. Two are allowed, since a host that connects anew may come before
//! its old connection is known to be dead; of more, the newest stay.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

const STREAMS_PER_HOST: usize = 2;

/// The open streams of all hosts.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenStreams(Arc<Mutex<HashMap<String, VecDeque<oneshot::Sender<()>>>>>);

impl OpenStreams {
    /// Notes one more. What is returned ends when newer streams of the host take its place.
    pub(super) fn open(&self, host: &str) -> oneshot::Receiver<()> {
        let (place, displaced) = oneshot::channel();
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let places = hosts.entry(host.to_owned()).or_default();
        places.retain(|place| !place.is_closed());
        places.push_back(place);
        while places.len() > STREAMS_PER_HOST {
            places.pop_front();
        }
        displaced
    }

    /// Forgets those of a host that have ended.
    pub(super) fn ended(&self, host: &str) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(places) = hosts.get_mut(host) {
            places.retain(|place| !place.is_closed());
            if places.is_empty() {
                hosts.remove(host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_displaced(place: &mut oneshot::Receiver<()>) -> bool {
        place.try_recv() == Err(oneshot::error::TryRecvError::Closed)
    }

    #[test]
    fn of_many_streams_of_a_host_the_two_newest_stay() {
        let streams = OpenStreams::default();
        let mut first = streams.open("hst_1");
        let mut second = streams.open("hst_1");
        let mut other = streams.open("hst_2");
        assert!(!is_displaced(&mut first));
        let mut third = streams.open("hst_1");
        assert!(is_displaced(&mut first));
        for place in [&mut second, &mut third, &mut other] {
            assert!(!is_displaced(place));
        }
    }

    #[test]
    fn a_stream_that_has_ended_takes_no_place() {
        let streams = OpenStreams::default();
        let mut first = streams.open("hst_1");
        drop(streams.open("hst_1"));
        streams.ended("hst_1");
        let third = streams.open("hst_1");
        assert!(!is_displaced(&mut first));
        drop(first);
        drop(third);
        streams.ended("hst_1");
        assert!(streams.0.lock().unwrap().is_empty());
    }
}
