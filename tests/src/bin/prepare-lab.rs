//! Makes the base root of the throw-away hosts, so that the first test does not have to.
#![forbid(unsafe_code)]

fn main() {
    let _root = system_tests::prepare_base_root();
}
