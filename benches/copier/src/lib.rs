//! `libnss_copier.so.2`: a module that finds a user in a mapped table and copies the record, and does
//! nothing else: no check, no second version of the table, no thread, no fork, nobody to ask. What a
//! lookup through it takes beyond the floor is what memory takes. `cargo xtask bench identity` has it
//! beside the others, for whoever wonders where the rest of a lookup goes.
//!
//! ```text
//! header  8   number of slots, a power of two; 0
//! slot    8   upper half of the name's hash; offset of the record, 0 for none
//! record  16  user id, group id, where comment, home and shell begin, length of the text
//!         text name, "x", comment, home, shell, a NUL behind each; filled up to a multiple of 8
//! ```

pub mod ffi;
