//! The thread's `errno` and its cancellation, and the time.

#![expect(unsafe_code, reason = "the C library's own state of a thread")]

use libc::c_int;

/// Does something that may set `errno`, and puts it back.
pub(crate) fn keeping_errno<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: has no condition.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: always the address of this thread's `errno`.
    let before = unsafe { place.read() };
    let done = work();
    set_errno(before);
    done
}

pub(crate) fn set_errno(errno: c_int) {
    // SAFETY: has no condition.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: always the address of this thread's `errno`.
    unsafe { place.write(errno) };
}

unsafe extern "C" {
    fn pthread_setcancelstate(state: c_int, before: *mut c_int) -> c_int;
}

const CANCEL_ENABLE: c_int = 0;
const CANCEL_DISABLE: c_int = 1;

/// Does something that opens, waits or closes, as a thread that cannot be cancelled meanwhile: a
/// cancellation would unwind through Rust, which ends the process. `errno` is the same afterwards.
pub(crate) fn uncancelled<T>(work: impl FnOnce() -> T) -> T {
    struct Restored(c_int);
    impl Drop for Restored {
        fn drop(&mut self) {
            // SAFETY: sets this thread's own state back, and wants no answer.
            unsafe { pthread_setcancelstate(self.0, std::ptr::null_mut()) };
        }
    }
    let mut before = CANCEL_ENABLE;
    // SAFETY: sets this thread's own state, and writes the one before.
    unsafe { pthread_setcancelstate(CANCEL_DISABLE, &raw mut before) };
    let _restored = Restored(before);
    keeping_errno(work)
}

/// Milliseconds on a clock that only goes forward, read without a system call.
pub(crate) fn milliseconds() -> u64 {
    let (seconds, nanoseconds) = told_by(libc::CLOCK_MONOTONIC_COARSE);
    let [seconds, nanoseconds] = [seconds, nanoseconds].map(|n| u64::try_from(n).unwrap_or(0));
    seconds * 1000 + nanoseconds / 1_000_000
}

/// Seconds since 1970, read without a system call.
pub(crate) fn seconds() -> i64 {
    told_by(libc::CLOCK_REALTIME_COARSE).0
}

/// Seconds and nanoseconds of a clock.
fn told_by(clock: libc::clockid_t) -> (i64, i64) {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes the time into `now`.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    (now.tv_sec, now.tv_nsec)
}
