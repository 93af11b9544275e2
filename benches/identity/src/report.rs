//! The tables, and the same for programs.

use std::fs;
use std::thread::available_parallelism;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;
use serde_json::json;

use crate::Failure;
use crate::competitor::Competitor;
use crate::figures::Figures;
use crate::host_figures::HostFigures;
use crate::limits::{Basis, Verdict};
use crate::row::Row;

/// Everything measured with one number of users.
pub(crate) struct Measured {
    pub(crate) users: usize,
    pub(crate) figures: Figures,
    pub(crate) host: HostFigures,
}

impl Measured {
    /// A figure whose answers were all right.
    pub(crate) fn value(&self, row: Row, competitor: Competitor) -> Option<f64> {
        self.figures.value((row, competitor))
    }

    /// What we take of what another takes, in the same rounds.
    pub(crate) fn ratio(&self, row: Row, than: Competitor) -> Option<f64> {
        let ours = (row, Competitor::Cloudid);
        self.figures.ratio(ours, (row, than))
    }

    /// The best of the peers, and its figure.
    fn best_peer(&self, row: Row) -> Option<(Competitor, f64)> {
        let peers = Competitor::ALL.into_iter().filter(|one| one.is_peer());
        let figures = peers.filter_map(|peer| Some((peer, self.value(row, peer)?)));
        let better = |value: f64| if row.is_counted() { -value } else { value };
        figures.min_by(|one, other| better(one.1).total_cmp(&better(other.1)))
    }
}

/// How busy the machine was before we began: load of the last minute, and processors.
#[derive(Debug, Serialize)]
pub(crate) struct MachineLoad {
    load: f64,
    processors: usize,
}

pub(crate) fn load_of_the_machine() -> MachineLoad {
    let told = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = told.split(' ').next().and_then(|load| load.parse().ok());
    MachineLoad {
        load: first.unwrap_or_default(),
        processors: available_parallelism().map_or(1, usize::from),
    }
}

/// Every row and every competitor, with our ratios to the floor and to the best peer.
pub(crate) fn table(measured: &Measured) -> String {
    let who = Competitor::ALL
        .into_iter()
        .chain([Competitor::TwoUsers])
        .filter(|one| measured.figures.has(*one));
    let who: Vec<Competitor> = who.collect();
    let mut table = new_table();
    let mut header = vec![format!("{} users", measured.users)];
    header.extend(who.iter().map(ToString::to_string));
    header.extend(["of floor", "of best peer"].map(str::to_owned));
    table.set_header(header);
    for row in Row::ALL {
        let mut cells = vec![row.title().to_owned()];
        cells.extend(who.iter().map(|one| cell(measured, row, *one)));
        let floor = measured.ratio(row, Competitor::Floor);
        cells.push(floor.map_or_else(String::new, ratio));
        let best = measured.best_peer(row).and_then(|(peer, _)| {
            let than = measured.ratio(row, peer)?;
            Some(format!("{} {peer}", ratio(than)))
        });
        cells.push(best.unwrap_or_default());
        table.add_row(cells);
    }
    align(&mut table);
    format!("\n{table}\n\n{}\n", host_lines(measured))
}

fn host_lines(measured: &Measured) -> String {
    let host = &measured.host;
    format!(
        "map {} bytes, cacher {} KiB; question to the cacher {}, echo {}; from another processor \
         {}, {}; key command {}, empty program {}; answered by another processor {}, {}",
        host.map_bytes,
        host.cacher_bytes / 1024,
        time(host.owner.ours),
        time(host.owner.other),
        time(host.owner_across.ours),
        time(host.owner_across.other),
        time(host.key_command.ours),
        time(host.key_command.other),
        time(host.key_command_across.ours),
        time(host.key_command_across.other)
    )
}

fn cell(measured: &Measured, row: Row, competitor: Competitor) -> String {
    let Some((value, right)) = measured.figures.told((row, competitor)) else {
        return String::new();
    };
    let said = if row.is_counted() {
        calls(value)
    } else {
        time(value)
    };
    if right { said } else { format!("{said} WRONG") }
}

/// What was promised, and what came of it.
pub(crate) fn verdicts(verdicts: &[Verdict], machine: &MachineLoad) -> String {
    let mut table = new_table();
    table.set_header(["what", "measured", "must", "aim", ""]);
    for verdict in verdicts {
        let limit = |limit: f64| format!("{} {}", rounded(limit), verdict.unit);
        let measured = verdict.measured.map_or_else(
            || "-".to_owned(),
            |figure| format!("{figure:.2} {}", verdict.unit),
        );
        let (must, aim) = (limit(verdict.must), limit(verdict.aim));
        let words = verdict.words().to_owned();
        table.add_row([verdict.what.clone(), measured, must, aim, words]);
    }
    align(&mut table);
    let MachineLoad { load, processors } = machine;
    let as_given = reached(verdicts, Basis::BehindIt);
    let as_ratios = reached(verdicts, Basis::OfOneMachine);
    format!(
        "{table}\n\nload of the machine before the run: {load} on {processors} processors\nmusts \
         as given: {as_given}\nmusts with the ratios behind the times of one machine: {as_ratios}"
    )
}

fn reached(verdicts: &[Verdict], but: Basis) -> String {
    let counted = verdicts.iter().filter(|one| one.basis != but);
    let measured: Vec<_> = counted.filter(|one| one.measured.is_some()).collect();
    let missed = measured.iter().filter(|one| one.is_missed()).count();
    let all = measured.len();
    format!("{} of {all} reached, {missed} missed", all - missed)
}

/// Two digits, and none that say nothing.
fn rounded(limit: f64) -> f64 {
    (limit * 100.0).round() / 100.0
}

/// The figures for programs.
pub(crate) fn json(
    all: &[Measured],
    verdicts: &[Verdict],
    machine: &MachineLoad,
) -> Result<String, Failure> {
    let sizes: Vec<_> = all.iter().map(of_size).collect();
    let verdicts: Vec<_> = verdicts
        .iter()
        .map(|verdict| json!({"verdict": verdict.words(), "promise": verdict}))
        .collect();
    let told = json!({"machine": machine, "sizes": sizes, "verdicts": verdicts});
    Ok(serde_json::to_string_pretty(&told)?)
}

fn of_size(measured: &Measured) -> serde_json::Value {
    json!({"users": measured.users, "figures": measured.figures.json(), "host": measured.host})
}

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// Figures to the right, under each other.
fn align(table: &mut Table) {
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        short if short < 1e3 => format!("{short:.0} ns"),
        middle if middle < 1e6 => format!("{:.2} us", middle / 1e3),
        long => format!("{:.2} ms", long / 1e6),
    }
}

fn calls(per_second: f64) -> String {
    if per_second < 1e6 {
        format!("{:.1}k", per_second / 1e3)
    } else {
        format!("{:.2}M", per_second / 1e6)
    }
}

fn ratio(ratio: f64) -> String {
    if ratio < 0.1 {
        format!("{ratio:.4}")
    } else {
        format!("{ratio:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_told_in_the_unit_that_fits() {
        assert_eq!(time(839.6), "840 ns");
        assert_eq!(time(2_810.0), "2.81 us");
        assert_eq!(time(127e6), "127.00 ms");
        assert_eq!(calls(1_120_000.0), "1.12M");
    }
}
