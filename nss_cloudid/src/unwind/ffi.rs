//! `_Unwind_Find_FDE` of the linked unwinder, which no other library sees: the entry of a function in
//! the sorted table that linkers put beside the code (`.eh_frame_hdr`). Where anything about the
//! table is unusual there is no entry, and a panic ends as it does where nobody can catch it.

#![expect(unsafe_code, reason = "tables of loaded code are raw memory")]

use std::ffi::{c_int, c_void};
use std::ptr::{null, with_exposed_provenance};

/// Version of the table; that its parts are four bytes, relative to themselves or to the table.
const USUAL_TABLE: i32 = i32::from_le_bytes([1, 0x1b, 0x03, 0x3b]);
const COUNT_AT: usize = 8;
const ENTRIES_AT: usize = 12;
const ENTRY_BYTES: usize = 8;
/// Where an entry of `.eh_frame` says how long the function is.
const RANGE_AT: usize = 12;

/// `struct dwarf_eh_bases`.
#[repr(C)]
struct Bases {
    text: *const c_void,
    data: *const c_void,
    function: *const c_void,
}

std::arch::global_asm!(
    ".globl _Unwind_Find_FDE",
    ".hidden _Unwind_Find_FDE",
    ".type _Unwind_Find_FDE, @function",
    "_Unwind_Find_FDE:",
    "jmp {find}",
    find = sym find_entry,
);

/// The entry of the function around an address, or null.
///
/// # Safety
/// As the unwinder calls it: `bases` can be written.
unsafe extern "C" fn find_entry(code: *const c_void, bases: *mut Bases) -> *const c_void {
    let mut search = Search {
        code: code.addr(),
        table: 0,
    };
    // SAFETY: `look` takes what is passed here for what it is.
    unsafe { libc::dl_iterate_phdr(Some(look), (&raw mut search).cast()) };
    // SAFETY: the table of an object that is loaded, and whose code is running.
    let Some((function, entry)) = (unsafe { entry_in(search.table, search.code) }) else {
        return null();
    };
    let found = Bases {
        text: null(),
        data: null(),
        function: with_exposed_provenance(function),
    };
    // SAFETY: the caller vouches for the bases.
    unsafe { bases.write(found) };
    with_exposed_provenance(entry)
}

/// What is looked for, and the table of the object that it lies in.
struct Search {
    code: usize,
    table: usize,
}

/// Looks at one object; not 0 once it is the one.
///
/// # Safety
/// As `dl_iterate_phdr` calls it, with a [`Search`].
unsafe extern "C" fn look(object: *mut libc::dl_phdr_info, _: usize, search: *mut c_void) -> c_int {
    // SAFETY: the C library describes an object.
    let object = unsafe { &*object };
    // SAFETY: what `find_entry` has passed.
    let search = unsafe { &mut *search.cast::<Search>() };
    let count = usize::from(object.dlpi_phnum);
    // SAFETY: the object has so many headers.
    let headers = unsafe { std::slice::from_raw_parts(object.dlpi_phdr, count) };
    let start = |header: &libc::Elf64_Phdr| object.dlpi_addr.wrapping_add(header.p_vaddr);
    let is_around = |header: &&libc::Elf64_Phdr| {
        let behind = (search.code as u64).wrapping_sub(start(header));
        header.p_type == libc::PT_LOAD && behind < header.p_memsz
    };
    if !headers.iter().any(|header| is_around(&header)) {
        return 0;
    }
    let table = headers
        .iter()
        .find(|header| header.p_type == libc::PT_GNU_EH_FRAME);
    search.table = table.map_or(0, |header| usize::try_from(start(header)).unwrap_or(0));
    1
}

/// Where the function around an address begins, and its entry.
///
/// # Safety
/// `table` is 0 or the `.eh_frame_hdr` of a loaded object.
unsafe fn entry_in(table: usize, code: usize) -> Option<(usize, usize)> {
    // SAFETY: there is a table, and it begins with this.
    if table == 0 || unsafe { number(table) } != USUAL_TABLE {
        return None;
    }
    // SAFETY: such a table says here how many entries it has.
    let count = usize::try_from(unsafe { number(table + COUNT_AT) }).ok()?;
    let place = |index: usize| table + ENTRIES_AT + index * ENTRY_BYTES;
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        // SAFETY: one of the entries.
        if relative(table, unsafe { number(place(middle)) }) <= code {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let before = place(low.checked_sub(1)?);
    // SAFETY: one of the entries.
    let function = relative(table, unsafe { number(before) });
    // SAFETY: its second half.
    let entry = relative(table, unsafe { number(before + 4) });
    // SAFETY: where such tables are used, entries hold the length of the function here.
    let range = usize::try_from(unsafe { number(entry + RANGE_AT) }).ok()?;
    (code - function < range).then_some((function, entry))
}

fn relative(table: usize, distance: i32) -> usize {
    table.wrapping_add_signed(isize::try_from(distance).unwrap_or(0))
}

/// # Safety
/// Four bytes lie there.
unsafe fn number(at: usize) -> i32 {
    let place: *const i32 = with_exposed_provenance(at);
    // SAFETY: the caller vouches for it.
    unsafe { place.read_unaligned() }
}
