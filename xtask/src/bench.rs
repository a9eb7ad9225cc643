//! Benches against peers: figures, ratios, and whether what was promised is reached.
//!
//! Absolute figures depend on the machine; ratios within one run do so much less. Peers and program share the machine,
//! the request and the model server, take turns, and the median of the rounds counts. Nothing here is a test.

mod clone;
mod flood;
mod gateway;
mod memory;
mod planes;
mod room;
mod side;
mod sse;

use std::fmt::Write as _;

use clap::ValueEnum;

use crate::system::{Profile, build};
use crate::{Error, process, say};

/// One group of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Bench {
    /// One whole decision, in process
    Decision,
    /// Replaying recorded decisions under another bundle, in process
    Replay,
    /// Reading, checking and testing bundles, in process
    Policy,
    /// Proving, with a solver
    Proof,
    /// Minting and verifying access tokens, in process
    Identity,
    /// Durable entries and verification, in process
    Ledger,
    /// CPU and latency per request, against nginx
    Gateway,
    /// Relaying event streams, against nginx
    Sse,
    /// A revocation under a flood of denials, against an idle system
    Flood,
    /// A revocation at three gateways in processes of their own
    Planes,
    /// Memory of an idle system
    Memory,
    /// From a clean clone to the first step of the demonstration
    Clone,
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    pub name: String,
    pub unit: String,
    pub ours: f64,
    /// The peer's name and its figure.
    pub peer: Option<(String, f64)>,
    pub reach: Option<Reach>,
}

/// What was promised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reach {
    /// Of the figure itself.
    AtMost(f64),
    AtLeast(f64),
    /// Of the figure divided by the peer's.
    RatioAtMost(f64),
    RatioAtLeast(f64),
}

impl Figure {
    pub fn ratio(&self) -> Option<f64> {
        self.peer.as_ref().map(|(_, peer)| self.ours / peer)
    }

    /// `None` where nothing was promised. A figure that is not a number does not reach anything.
    pub fn is_reached(&self) -> Option<bool> {
        let ratio = self.ratio().unwrap_or(f64::NAN);
        Some(match self.reach? {
            Reach::AtMost(limit) => self.ours <= limit,
            Reach::AtLeast(limit) => self.ours >= limit,
            Reach::RatioAtMost(limit) => ratio <= limit,
            Reach::RatioAtLeast(limit) => ratio >= limit,
        })
    }
}

/// Runs benches one after the other and prints their table. True when everything promised was reached.
pub async fn run(benches: &[Bench], rounds: usize) -> Result<bool, Error> {
    let mut figures = Vec::new();
    // Those that build first, as long as this process may use every CPU.
    for bench in benches {
        match bench {
            Bench::Decision => room::run("modelward-decision", "decision")?,
            Bench::Replay => room::run("modelward-decision", "replay")?,
            Bench::Policy => room::run("modelward-policy", "gate")?,
            Bench::Proof => room::run("modelward-proof", "proof")?,
            Bench::Identity => room::run("modelward-identity", "token")?,
            Bench::Ledger => room::run("modelward-ledger", "ledger")?,
            Bench::Clone => figures.extend(clone::run().await?),
            Bench::Gateway | Bench::Sse | Bench::Flood | Bench::Planes | Bench::Memory => {}
        }
    }
    if benches.contains(&Bench::Planes) {
        figures.extend(planes::run(rounds).await?);
    }
    if benches.contains(&Bench::Memory) {
        figures.extend(memory::run().await?);
    }
    if benches.iter().any(|bench| matches!(bench, Bench::Gateway | Bench::Sse | Bench::Flood)) {
        say("building `modelward` as it is shipped");
        build(Profile::Dist)?;
        process::pin_self(side::LOAD_CPU)?;
        if benches.contains(&Bench::Gateway) {
            figures.extend(gateway::run(rounds).await?);
        }
        if benches.contains(&Bench::Sse) {
            figures.extend(sse::run(rounds).await?);
        }
        if benches.contains(&Bench::Flood) {
            figures.extend(flood::run(rounds).await?);
        }
    }
    if !figures.is_empty() {
        say(&table(&figures));
    }
    Ok(figures.iter().all(|figure| figure.is_reached() != Some(false)))
}

/// Figures for people.
pub fn table(figures: &[Figure]) -> String {
    let mut rows = vec![["figure", "ours", "peer", "ratio", "reach", "verdict"].map(str::to_owned)];
    rows.extend(figures.iter().map(row));
    let mut widths = [0; 6];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut table = String::new();
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        // Writing to a string cannot fail.
        let _written = writeln!(table, "{}", cells.join("  ").trim_end());
    }
    table
}

fn row(figure: &Figure) -> [String; 6] {
    let reach = figure.reach.map_or_else(
        || "–".to_owned(),
        |reach| match reach {
            Reach::AtMost(limit) => format!("≤ {limit} {}", figure.unit),
            Reach::AtLeast(limit) => format!("≥ {limit} {}", figure.unit),
            Reach::RatioAtMost(limit) => format!("≤ {limit} ×"),
            Reach::RatioAtLeast(limit) => format!("≥ {limit} ×"),
        },
    );
    let verdict = match figure.is_reached() {
        None => "–",
        Some(true) => "reached",
        Some(false) => "MISSED",
    };
    [
        figure.name.clone(),
        format!("{} {}", number(figure.ours), figure.unit),
        figure
            .peer
            .as_ref()
            .map_or_else(|| "–".to_owned(), |(name, value)| format!("{name} {}", number(*value))),
        figure.ratio().map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2} ×")),
        reach,
        verdict.to_owned(),
    ]
}

/// Three digits that matter.
fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1000.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The middle of several rounds.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
