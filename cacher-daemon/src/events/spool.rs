//! The spool: events in segments, each line chained to the one before it. An event is durable when
//! `append` returns, and stays until the directory has said that it is stored.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use directory_api::agent::{EventsStored, HostEvent};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Event;
use crate::disk::{Disk, make_folder, read_bounded};
use crate::mirror::store::hex;

/// A segment is closed beyond this size.
const SEGMENT_BYTES: u64 = 256 * 1024;
const SEGMENT_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// One event as a line.
const EVENT_BYTES_MAX: usize = 64 * 1024;
const RESERVE: &str = "reserve";
const DELIVERED: &str = "delivered";
/// What the first event of a host is chained to.
const BEGINNING: &str = "";

/// Where the chain stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Link {
    boot: String,
    sequence: u64,
    hash: String,
}

/// Limits of a spool.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Events kept.
    pub events: usize,
    /// Bytes of disk held back for events.
    pub reserve: u64,
}

/// The spool of one host. One writer.
pub struct Spool {
    folder: PathBuf,
    disk: Arc<dyn Disk>,
    limits: Limits,
    boot: String,
    /// Number of events in each segment, by the segment's number.
    segments: BTreeMap<u64, usize>,
    open_bytes: u64,
    last: Link,
    delivered: Link,
    lost: u64,
}

impl Spool {
    /// Opens the spool and takes a torn last line off.
    ///
    /// # Errors
    /// The folder cannot be used.
    pub fn open(
        folder: PathBuf,
        disk: Arc<dyn Disk>,
        limits: Limits,
        boot: String,
    ) -> io::Result<Self> {
        make_folder(&folder, 0o700)?;
        let delivered: Link = read_bounded(&folder.join(DELIVERED), EVENT_BYTES_MAX as u64)?
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let mut spool = Self {
            folder,
            disk,
            limits,
            boot,
            segments: BTreeMap::new(),
            open_bytes: 0,
            last: delivered.clone(),
            delivered,
            lost: 0,
        };
        spool.recover()?;
        spool.hold_reserve();
        Ok(spool)
    }

    fn recover(&mut self) -> io::Result<()> {
        let mut numbers: Vec<u64> = std::fs::read_dir(&self.folder)?
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        numbers.sort_unstable();
        for number in numbers {
            let path = self.segment_path(number);
            let bytes = read_bounded(&path, SEGMENT_BYTES_MAX)?.unwrap_or_default();
            let (events, sound) = parse(&bytes);
            if sound < bytes.len() {
                // A line that was never finished was never promised to anybody.
                let kept = bytes.get(..sound).unwrap_or_default();
                self.disk.replace(&path, kept, 0o600)?;
            }
            if let Some(event) = events.last() {
                self.last = link(event);
            }
            self.open_bytes = sound as u64;
            self.segments.insert(number, events.len());
        }
        self.drop_delivered()
    }

    /// Events that the directory has not stored yet, at most.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.segments.values().map(|count| *count as u64).sum()
    }

    /// Writes one event; it is durable when this returns.
    ///
    /// # Errors
    /// The disk refuses even with the reserve given up, or the spool is full.
    pub fn append(&mut self, event: &Event, time_ms: i64) -> io::Result<()> {
        if self.waiting() >= self.limits.events as u64 {
            self.lost += 1;
            return Err(io::Error::new(
                io::ErrorKind::QuotaExceeded,
                "the event spool is full",
            ));
        }
        let host_event = self.chained(event, time_ms);
        let mut line = serde_json::to_vec(&host_event)?;
        line.push(b'\n');
        if line.len() > EVENT_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "event too long",
            ));
        }
        if let Err(error) = self.write(&line) {
            self.give_up_reserve()?;
            tracing::warn!(%error, "events use their reserve of disk space");
            self.write(&line)?;
        }
        self.last = link(&host_event);
        self.lost = 0;
        Ok(())
    }

    fn chained(&self, event: &Event, time_ms: i64) -> HostEvent {
        let same_boot = self.last.boot == self.boot;
        let mut details: serde_json::Map<_, _> = event
            .details
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        if self.lost > 0 {
            details.insert("lost_before".to_owned(), self.lost.into());
        }
        let previous_hash = if self.last.hash.is_empty() {
            BEGINNING.to_owned()
        } else {
            self.last.hash.clone()
        };
        let mut event = HostEvent {
            boot: self.boot.clone(),
            sequence: if same_boot { self.last.sequence + 1 } else { 1 },
            time_ms,
            kind: event.kind.to_owned(),
            outcome: event.outcome.to_owned(),
            user: event.user.clone(),
            details: details.into(),
            previous_hash,
            hash: String::new(),
        };
        let digest: [u8; 32] = Sha256::digest(event.hashed_bytes()).into();
        event.hash = hex(&digest);
        event
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        let newest = self.segments.keys().next_back().copied();
        let number = match newest {
            Some(number) if self.open_bytes < SEGMENT_BYTES => number,
            Some(number) => number + 1,
            None => 1,
        };
        let fresh = newest != Some(number);
        let path = self.segment_path(number);
        let before = if fresh { 0 } else { self.open_bytes };
        let written = self
            .disk
            .append(&path, line)
            .and_then(|()| self.disk.sync(&path))
            .and_then(|()| {
                if fresh {
                    self.disk.sync_folder(&self.folder)
                } else {
                    Ok(())
                }
            });
        if let Err(error) = written {
            // What may have been written in part is taken off again, or the next line joins it.
            cut(&path, before)?;
            return Err(error);
        }
        self.open_bytes = before + line.len() as u64;
        *self.segments.entry(number).or_default() += 1;
        Ok(())
    }

    /// The oldest events that the directory has not stored, all of one boot.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn oldest(&self, most: usize) -> io::Result<Vec<HostEvent>> {
        let Some(number) = self.segments.keys().next() else {
            return Ok(Vec::new());
        };
        let path = self.segment_path(*number);
        let bytes = read_bounded(&path, SEGMENT_BYTES_MAX)?.unwrap_or_default();
        let (events, _) = parse(&bytes);
        let mut batch: Vec<HostEvent> = Vec::new();
        for event in self.undelivered(events).into_iter().take(most) {
            if batch.first().is_some_and(|first| first.boot != event.boot) {
                break;
            }
            batch.push(event);
        }
        Ok(batch)
    }

    /// The directory has stored the batch up to here; says whether that took anything off. Whatever
    /// else the directory may say changes nothing.
    ///
    /// # Errors
    /// The disk refuses; the events will be sent again and fall away there.
    pub fn stored(&mut self, batch: &[HostEvent], stored: &EventsStored) -> io::Result<bool> {
        let up_to = batch
            .iter()
            .rfind(|event| event.boot == stored.boot && event.sequence <= stored.sequence);
        let Some(last) = up_to else {
            return Ok(false);
        };
        let delivered = link(last);
        let body = serde_json::to_vec(&delivered)?;
        self.disk
            .replace(&self.folder.join(DELIVERED), &body, 0o600)?;
        self.delivered = delivered;
        self.drop_delivered()?;
        Ok(true)
    }

    /// Removes segments of which nothing waits any more.
    fn drop_delivered(&mut self) -> io::Result<()> {
        while let Some(number) = self.segments.keys().next().copied() {
            let path = self.segment_path(number);
            let bytes = read_bounded(&path, SEGMENT_BYTES_MAX)?.unwrap_or_default();
            let (events, _) = parse(&bytes);
            if !self.undelivered(events).is_empty() {
                return Ok(());
            }
            self.disk.remove(&path)?;
            self.segments.remove(&number);
            self.hold_reserve();
        }
        self.open_bytes = 0;
        Ok(())
    }

    /// The events of a segment that the directory has not stored. The order is one over all boots:
    /// whatever stands behind the last one stored still waits.
    fn undelivered(&self, mut events: Vec<HostEvent>) -> Vec<HostEvent> {
        let delivered = events
            .iter()
            .rposition(|event| event.hash == self.delivered.hash)
            .map_or(0, |position| position + 1);
        events.split_off(delivered)
    }

    fn segment_path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:012}"))
    }

    fn hold_reserve(&self) {
        let path = self.folder.join(RESERVE);
        if path.exists() || self.limits.reserve == 0 {
            return;
        }
        let held = std::fs::File::create(&path).and_then(|file| {
            let flags = rustix::fs::FallocateFlags::empty();
            Ok(rustix::fs::fallocate(&file, flags, 0, self.limits.reserve)?)
        });
        if let Err(error) = held {
            // A file that holds nothing back would only pretend to.
            let _ = std::fs::remove_file(&path);
            tracing::warn!(%error, "no disk space can be held back for events");
        }
    }

    fn give_up_reserve(&self) -> io::Result<()> {
        self.disk.remove(&self.folder.join(RESERVE))
    }
}

fn cut(path: &std::path::Path, length: u64) -> io::Result<()> {
    match std::fs::OpenOptions::new().write(true).open(path) {
        Ok(file) => file.set_len(length),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn link(event: &HostEvent) -> Link {
    Link {
        boot: event.boot.clone(),
        sequence: event.sequence,
        hash: event.hash.clone(),
    }
}

/// The events, and how many bytes whole lines take. A line that is damaged is passed over: the
/// chain shows the gap, and what comes after it is still told.
fn parse(bytes: &[u8]) -> (Vec<HostEvent>, usize) {
    let mut events = Vec::new();
    let mut sound = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some((b'\n', text)) = line.split_last() else {
            break;
        };
        events.extend(serde_json::from_slice::<HostEvent>(text));
        sound += line.len();
    }
    (events, sound)
}
