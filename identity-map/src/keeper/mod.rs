//! A thread that does nothing but live: when it is gone, however its process ended, the kernel says so
//! in a word that other processes see. Robust futexes are made for that (`set_robust_list(2)`); nobody
//! locks anything here.

mod ffi;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, JoinHandle};

use crate::ffi::Words;

use ffi::Testament;
pub(crate) use ffi::is_alive;

/// The thread, until it is dropped.
#[derive(Debug)]
pub(crate) struct Keeper {
    thread: Option<JoinHandle<()>>,
    stays: Option<Sender<()>>,
    /// The kernel reads it when the thread has ended, so it outlives the thread.
    _testament: Arc<Testament>,
}

impl Keeper {
    /// Begins to live; the words of the mark name the thread from now on.
    ///
    /// # Errors
    /// No thread, no memory, or a kernel without robust futexes.
    pub(crate) fn of(words: Arc<Words>) -> io::Result<Self> {
        let testament = Arc::new(Testament::new()?);
        let (stays, until_dropped) = channel();
        let (tell, told) = channel();
        let left = Arc::clone(&testament);
        let thread = Builder::new().name("mark".to_owned()).spawn(move || {
            let _ = tell.send(left.is_left_by_this_thread(&words));
            wait(&until_dropped);
        })?;
        let keeper = Self {
            thread: Some(thread),
            stays: Some(stays),
            _testament: testament,
        };
        told.recv().map_err(io::Error::other)??;
        Ok(keeper)
    }
}

fn wait(until_dropped: &Receiver<()>) {
    // Nothing is ever sent: an error says that the other end is gone.
    let _ = until_dropped.recv();
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stays.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
