//! The accessibility rules of axe, from npm, kept in the folder of the lab.

use crate::base_root::cache;
use crate::browser::Browser;
use crate::command::outcome;
use std::fs;

const PACKAGE: &str = "axe-core@4.10.3";
const RUN: &str = "axe.run(document, {resultTypes: ['violations']}).then(found => \
    found.violations.filter(each => ['serious', 'critical'].includes(each.impact)).map(each => \
    each.id + ': ' + each.nodes.map(node => node.html).join(' ')))";

/// The rules, as a script.
#[derive(Debug)]
pub struct Axe(String);

impl Axe {
    /// From the folder of the lab, or from npm.
    ///
    /// # Errors
    /// npm is not there or has no such package.
    pub fn fetch() -> Result<Self, String> {
        let folder = cache().join(PACKAGE);
        let script = folder.join("package/axe.min.js");
        if !script.exists() {
            let into = folder.display().to_string();
            let fetch =
                "mkdir -p \"$1\" && cd \"$1\" && npm pack --silent \"$2\" && tar -xzf *.tgz";
            let fetched = outcome("/bin/sh", &["-euc", fetch, "sh", &into, PACKAGE]);
            if !fetched.succeeded() {
                return Err(format!("npm pack {PACKAGE}: {}", fetched.stderr));
            }
        }
        let text = fs::read_to_string(&script);
        text.map(Self)
            .map_err(|error| format!("{}: {error}", script.display()))
    }

    /// What is seriously wrong with the page that a browser shows.
    #[must_use]
    pub fn findings(&self, browser: &Browser<'_>) -> Vec<String> {
        browser.evaluates(&format!("{}; 0", self.0));
        let found = browser.evaluates_in_time(RUN);
        let lines = found.as_array().map_or(&[][..], Vec::as_slice).iter();
        lines
            .map(|line| line.as_str().unwrap_or("?").to_owned())
            .collect()
    }
}
