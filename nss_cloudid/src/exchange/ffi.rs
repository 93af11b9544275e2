//! The slots and the counters. What makes each access sound is said where it happens; the order of
//! the operations is sequentially consistent throughout, because a reader that leaves and a thread
//! that empties slots must not miss each other.

#![expect(
    unsafe_code,
    reason = "values that are dropped while others look on; memory that a fork wipes"
)]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::ptr::null_mut;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicUsize};

const SLOTS: usize = 2;
const SHARDS: usize = 16;

/// A value that is read by many and exchanged by one.
#[derive(Debug)]
pub struct Exchange<T> {
    /// Number of the slot that readers take; 0 for none.
    current: AtomicUsize,
    slots: [Slot<T>; SLOTS],
    counters: AtomicPtr<Counters>,
}

#[derive(Debug)]
struct Slot<T> {
    occupied: AtomicBool,
    value: UnsafeCell<MaybeUninit<T>>,
}

/// Lies in memory that is zero in a child after fork.
#[derive(Debug)]
struct Counters {
    readers: [[Shard; SHARDS]; SLOTS],
    busy: AtomicBool,
}

#[derive(Debug)]
#[repr(align(64))]
struct Shard(AtomicU32);

impl Shard {
    fn count_in(&self) {
        if is_single_threaded() {
            self.0.store(self.0.load(Relaxed).wrapping_add(1), Relaxed);
        } else {
            self.0.fetch_add(1, SeqCst);
        }
    }

    /// Nothing to count out in a child that a signal handler forked in the middle of a lookup.
    fn count_out(&self) {
        if !is_single_threaded() {
            let one_less = |count: u32| count.checked_sub(1);
            let _ = self.0.fetch_update(SeqCst, SeqCst, one_less);
        } else if let Some(less) = self.0.load(Relaxed).checked_sub(1) {
            self.0.store(less, Relaxed);
        }
    }
}

/// Whether this process has one thread only, by glibc's own word. Then nobody counts meanwhile but
/// signal handlers, which leave a counter as they found it, and an instruction that locks the bus
/// would be for nobody.
fn is_single_threaded() -> bool {
    unsafe extern "C" {
        static __libc_single_threaded: u8;
    }
    // SAFETY: glibc's own variable, since 2.32; it is read as what another thread may change.
    let told = unsafe { AtomicU8::from_ptr((&raw const __libc_single_threaded).cast_mut()) };
    told.load(Relaxed) != 0
}

// SAFETY: values are shared between threads, and dropped by any of them.
unsafe impl<T: Send + Sync> Sync for Exchange<T> {}

impl<T> Slot<T> {
    const fn empty() -> Self {
        Self {
            occupied: AtomicBool::new(false),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }
}

impl<T> Exchange<T> {
    /// Without a value.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            current: AtomicUsize::new(0),
            slots: [Slot::empty(), Slot::empty()],
            counters: AtomicPtr::new(null_mut()),
        }
    }

    /// The value, if there is one now. Inlined: what it tells is long, and would be moved.
    #[inline(always)]
    pub fn read(&self) -> Option<Reader<'_, T>> {
        let number = self.current.load(SeqCst);
        let index = number.checked_sub(1)?;
        let slot = self.slots.get(index)?;
        let shard = self.counters()?.readers.get(index)?.get(shard_of_stack())?;
        shard.count_in();
        let reader = Reader {
            exchange: self,
            number,
            slot,
            shard,
        };
        // Counted in now: whoever takes the slot out of use from here on sees the count.
        (self.current.load(SeqCst) == number).then_some(reader)
    }

    /// The right to change something, if nobody else has it.
    pub fn turn(&self) -> Option<Turn<'_, T>> {
        let counters = self.counters().or_else(|| self.with_counters())?;
        if counters.busy.swap(true, SeqCst) {
            return None;
        }
        // Made only by whoever has the turn: its end gives the turn back.
        Some(Turn {
            exchange: self,
            counters,
        })
    }

    fn counters(&self) -> Option<&Counters> {
        let counters = self.counters.load(SeqCst);
        // SAFETY: null, or memory that `with_counters` has made and nobody takes away.
        unsafe { counters.as_ref() }
    }

    #[cold]
    fn with_counters(&self) -> Option<&Counters> {
        let made = memory_wiped_by_fork()?;
        let placed = self
            .counters
            .compare_exchange(null_mut(), made, SeqCst, SeqCst);
        if placed.is_err() {
            // SAFETY: another thread was first, and nobody has seen this memory.
            unsafe { libc::munmap(made.cast(), size_of::<Counters>()) };
        }
        self.counters()
    }

    /// Empties what is out of use and read by nobody. Whoever holds the turn does it when it ends,
    /// so it is enough to try.
    #[cold]
    fn settle(&self, counters: &Counters) {
        while self.abandoned(counters).is_some() {
            if counters.busy.swap(true, SeqCst) {
                return;
            }
            while let Some(slot) = self.abandoned(counters) {
                slot.occupied.store(false, SeqCst);
                let value: *mut T = slot.value.get().cast();
                // SAFETY: occupied until now, so there is a value; not current and without
                // readers, so nobody looks at it; and the turn keeps others from doing this.
                unsafe { value.drop_in_place() };
            }
            counters.busy.store(false, SeqCst);
        }
    }

    fn abandoned(&self, counters: &Counters) -> Option<&Slot<T>> {
        let current = self.current.load(SeqCst);
        let mut slots = (1..).zip(self.slots.iter().zip(&counters.readers));
        let found = slots.find(|(number, (slot, readers))| {
            *number != current
                && slot.occupied.load(SeqCst)
                && readers.iter().all(|shard| shard.0.load(SeqCst) == 0)
        });
        found.map(|(_, (slot, _))| slot)
    }
}

impl<T> Default for Exchange<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Somebody who looks at the value, which stays as long as this.
#[derive(Debug)]
pub struct Reader<'a, T> {
    exchange: &'a Exchange<T>,
    number: usize,
    slot: &'a Slot<T>,
    shard: &'a Shard,
}

impl<T> Reader<'_, T> {
    /// Which of the slots this is.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }
}

impl<T> Deref for Reader<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        let value: *const T = self.slot.value.get().cast();
        // SAFETY: the slot was current after this reader was counted in, so it holds a value, and
        // nobody empties it before this reader is counted out.
        unsafe { &*value }
    }
}

impl<T> Drop for Reader<'_, T> {
    fn drop(&mut self) {
        self.shard.count_out();
        if self.exchange.current.load(SeqCst) != self.number
            && let Some(counters) = self.exchange.counters()
        {
            self.exchange.settle(counters);
        }
    }
}

/// The right to change something.
#[derive(Debug)]
pub struct Turn<'a, T> {
    exchange: &'a Exchange<T>,
    counters: &'a Counters,
}

impl<T> Turn<'_, T> {
    /// Puts a value in, unless there is one, or both slots are still looked at.
    pub fn put(&self, value: T) -> bool {
        if self.exchange.current.load(SeqCst) != 0 {
            return false;
        }
        let mut slots = (1..).zip(&self.exchange.slots);
        let free = slots.find(|(_, slot)| !slot.occupied.load(SeqCst));
        let Some((number, slot)) = free else {
            return false;
        };
        // SAFETY: the slot is empty and not current, so nobody looks at it; this turn keeps others
        // from writing.
        unsafe { (*slot.value.get()).write(value) };
        slot.occupied.store(true, SeqCst);
        self.exchange.current.store(number, SeqCst);
        true
    }

    /// Takes the value of this slot out of use, if it still is the current one.
    pub fn retire(&self, number: usize) {
        if self.exchange.current.load(SeqCst) == number {
            self.exchange.current.store(0, SeqCst);
        }
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        self.counters.busy.store(false, SeqCst);
        self.exchange.settle(self.counters);
    }
}

/// Threads have their stacks apart, so their addresses tell them apart well enough.
fn shard_of_stack() -> usize {
    const SPREAD: usize = 0x9e37_79b9_7f4a_7c15;
    let here = 0_u8;
    let page = std::ptr::from_ref(&here).addr() >> 14;
    page.wrapping_mul(SPREAD) >> (usize::BITS - SHARDS.ilog2())
}

/// Zeros that are zeros again in every child, or nothing.
fn memory_wiped_by_fork() -> Option<*mut Counters> {
    let length = size_of::<Counters>();
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, where the kernel likes.
    let memory = unsafe { libc::mmap(null_mut(), length, access, kind, -1, 0) };
    if memory == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the mapping just made.
    let wiped = unsafe { libc::madvise(memory, length, libc::MADV_WIPEONFORK) };
    if wiped != 0 {
        // SAFETY: the mapping just made, which nobody has seen.
        unsafe { libc::munmap(memory, length) };
        return None;
    }
    Some(memory.cast())
}
