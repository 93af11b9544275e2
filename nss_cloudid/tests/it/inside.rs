//! What runs inside a host as a process of its own, through glibc: this test program starts itself
//! there, and prints what glibc answers, one line each.

use crate::glibc_calls::{self, Listing};
use crate::host::Host;

/// So many random operations; the seed is fixed, so that two hosts get the same questions.
const OPERATIONS: u32 = 20_000;
const MARK: &str = "answer: ";

/// The answers of glibc on a host.
pub(crate) fn random_answers(host: &Host) -> Vec<String> {
    let program = std::env::current_exe().unwrap();
    let program = program.to_str().unwrap();
    let name = "inside::random_operations";
    let said = host.says(&[program, "--ignored", "--exact", name, "--nocapture"]);
    let answers = said.lines().filter_map(|line| line.split_once(MARK));
    answers.map(|(_, answer)| answer.to_owned()).collect()
}

#[test]
#[ignore = "means nothing by itself: other tests start it in a mount namespace of theirs"]
#[expect(clippy::print_stdout, reason = "how the answers get out")]
fn random_operations() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut users, mut groups) = (Listing::users(), Listing::groups());
    for _ in 0..OPERATIONS {
        let number = random.below(120);
        let buffer = [64, 256, 1024, 65_536][random.below(4) as usize];
        let answer = match random.below(10) {
            0 => glibc_calls::user_by_name(&format!("person{number}"), buffer),
            1 => glibc_calls::user_by_id(known_uid(number), buffer),
            2 => glibc_calls::group_by_name(&format!("team{}", number % 12), buffer),
            3 => glibc_calls::group_by_id(90_000 + number % 12, buffer),
            4 => glibc_calls::groups_of(&format!("person{number}"), 70_000 + number, 4),
            5 => glibc_calls::groups_of(&format!("person{number}"), 90_000 + number % 12, 64),
            6 => users.next(),
            7 => groups.next(),
            8 => glibc_calls::user_by_name(
                ["root", "", "mallory", "nobody"][number as usize % 4],
                buffer,
            ),
            _ if number == 0 => {
                users.rewind();
                groups.rewind();
                "again".to_owned()
            }
            _ => glibc_calls::user_by_id(number % 3, buffer),
        };
        println!("{MARK}{answer}");
    }
}

/// Of the hundred people; an id of the directory's ranges that nobody has is another test.
fn known_uid(number: u32) -> u32 {
    70_000 + number % 100
}

/// The same numbers every time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 >> 40).unwrap() % end
    }
}
