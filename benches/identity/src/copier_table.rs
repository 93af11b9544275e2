//! The table of `nss_copier`, which says in its `lib.rs` how it looks.

use crate::Failure;
use crate::population::{PRIMARY_GROUP_ID, Population, User};

const HEADER_BYTES: usize = 8;
const SLOT_BYTES: usize = 8;

/// Half of the slots stay empty.
pub(crate) fn of(population: &Population) -> Result<Vec<u8>, Failure> {
    let slots = (population.users.len() * 2).next_power_of_two();
    let mut table = vec![0; HEADER_BYTES + slots * SLOT_BYTES];
    put(&mut table, 0, u32::try_from(slots)?);
    for user in &population.users {
        let hash = hash(user.name.as_bytes());
        let mut slot = usize::try_from(hash & 0xffff_ffff)? % slots;
        let place_of = |slot: usize| HEADER_BYTES + slot * SLOT_BYTES;
        let is_taken = |table: &[u8], slot| {
            let place = place_of(slot) + 4;
            table.get(place..place + 4) != Some(&[0; 4])
        };
        while is_taken(&table, slot) {
            slot = (slot + 1) % slots;
        }
        let record = u32::try_from(table.len())?;
        put(&mut table, place_of(slot), u32::try_from(hash >> 32)?);
        put(&mut table, place_of(slot) + 4, record);
        append(&mut table, user)?;
    }
    Ok(table)
}

fn append(table: &mut Vec<u8>, user: &User) -> Result<(), Failure> {
    let comment = user.name.len() + 3;
    let home = comment + user.comment.len() + 1;
    let shell = home + user.home().len() + 1;
    let (name, gecos, directory) = (&user.name, &user.comment, user.home());
    let text = format!("{name}\0x\0{gecos}\0{directory}\0/bin/bash\0");
    table.extend_from_slice(&user.id.to_le_bytes());
    table.extend_from_slice(&PRIMARY_GROUP_ID.to_le_bytes());
    for number in [comment, home, shell, text.len()] {
        table.extend_from_slice(&u16::try_from(number)?.to_le_bytes());
    }
    table.extend_from_slice(text.as_bytes());
    table.resize(table.len().next_multiple_of(8), 0);
    Ok(())
}

/// FNV-1a, of 64 bits.
fn hash(name: &[u8]) -> u64 {
    let mixed = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    name.iter().fold(0xcbf2_9ce4_8422_2325, mixed)
}

fn put(table: &mut [u8], at: usize, number: u32) {
    if let Some(place) = table.get_mut(at..at + 4) {
        place.copy_from_slice(&number.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_slot_and_a_record_of_his_own() {
        let population = Population::of(100);
        let table = of(&population).unwrap();
        let word = |at: usize| u32::from_le_bytes(table[at..at + 4].try_into().unwrap()) as usize;
        let slots = word(0);
        let mut records: Vec<usize> = (0..slots)
            .map(|slot| word(HEADER_BYTES + slot * SLOT_BYTES + 4))
            .filter(|record| *record != 0)
            .collect();
        records.sort_unstable();
        let mut ids: Vec<u32> = records
            .iter()
            .map(|record| u32::try_from(word(*record)).unwrap())
            .collect();
        ids.sort_unstable();
        let mut expected: Vec<u32> = population.users.iter().map(|user| user.id).collect();
        expected.sort_unstable();
        assert_eq!(ids, expected);
    }
}
