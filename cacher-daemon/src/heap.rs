//! The allocator is told to be frugal: a bundle is read by one thread after the other, and what each
//! has freed would otherwise stay with it.

/// Few heaps for all threads. To be called before there are any.
pub fn share() {
    crate::ffi::share_heaps();
}

/// Gives back what is free, after something large was replaced.
pub(crate) fn trim() {
    crate::ffi::trim_heaps();
}
