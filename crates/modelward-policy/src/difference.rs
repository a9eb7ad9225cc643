//! What changes between two permission matrices, row by row.

use std::collections::{BTreeMap, BTreeSet};

use modelward_decision::Outcome;
use modelward_decision::matrix::{Condition, Holder, Row};
use modelward_decision::vocabulary::{Action, ResourceKind};
use serde::Serialize;

/// One row that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowChange {
    pub action: Action,
    pub resource: ResourceKind,
    pub holder: Holder,
    pub cells: Vec<CellChange>,
}

/// One condition under which the answer changes. Nothing stands for a row that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct CellChange {
    pub condition: Condition,
    pub before: Option<Outcome>,
    pub after: Option<Outcome>,
}

impl CellChange {
    /// Whether something is allowed that was not.
    pub fn is_looser(&self) -> bool {
        self.after.is_some_and(Outcome::is_allow) && !self.before.is_some_and(Outcome::is_allow)
    }

    /// Whether something was allowed that no longer is.
    pub fn is_stricter(&self) -> bool {
        self.before.is_some_and(Outcome::is_allow) && !self.after.is_some_and(Outcome::is_allow)
    }
}

/// The rows that change from one matrix to the other, in order of the vocabulary.
pub fn difference(before: &[Row], after: &[Row]) -> Vec<RowChange> {
    let key = |row: &Row| (row.action, row.resource, row.holder);
    let before: BTreeMap<_, &Row> = before.iter().map(|row| (key(row), row)).collect();
    let after: BTreeMap<_, &Row> = after.iter().map(|row| (key(row), row)).collect();
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
    let mut changes = Vec::new();
    for key in keys {
        let (action, resource, holder) = key;
        let (before, after) = (before.get(&key).copied(), after.get(&key).copied());
        let cell = |row: Option<&Row>, index: usize| row.and_then(|row| row.cells.get(index)).copied();
        let cells: Vec<CellChange> = Condition::ALL
            .into_iter()
            .enumerate()
            .map(|(index, condition)| CellChange {
                condition,
                before: cell(before, index),
                after: cell(after, index),
            })
            .filter(|change| change.before != change.after)
            .collect();
        if !cells.is_empty() {
            changes.push(RowChange { action, resource, holder, cells });
        }
    }
    changes
}

/// One line for each changed cell: `looser  predict Version person, high risk: forbidden → permitted`.
pub fn render(changes: &[RowChange]) -> String {
    let mut text = String::new();
    for change in changes {
        for cell in &change.cells {
            let word = match (cell.is_looser(), cell.is_stricter()) {
                (true, _) => "looser  ",
                (_, true) => "stricter",
                _ => "other   ",
            };
            let outcome = |outcome: Option<Outcome>| outcome.map_or("not there", Outcome::as_str);
            text += &format!(
                "{word}  {} {} {}, {}: {} → {}\n",
                change.action,
                change.resource.as_str(),
                change.holder.as_str(),
                cell.condition.as_str(),
                outcome(cell.before),
                outcome(cell.after),
            );
        }
    }
    text
}

/// How many cells became looser, and how many stricter.
pub fn count(changes: &[RowChange]) -> (usize, usize) {
    let cells = || changes.iter().flat_map(|change| &change.cells);
    (cells().filter(|cell| cell.is_looser()).count(), cells().filter(|cell| cell.is_stricter()).count())
}
