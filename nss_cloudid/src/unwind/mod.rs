//! Finds the unwinder its tables. The unwinder that catches a panic is linked into this module:
//! loading the compiler's `libgcc_s` for it would cost each short program that looks up a name a
//! quarter of the time it takes at all. The linked one leaves finding tables to the C library, by a
//! function that only glibc 2.35 and later have; here it is done by what older ones have too. On
//! other processors than those it was tried on, the module loads `libgcc_s`.

#[cfg(target_arch = "x86_64")]
mod ffi;
