//! Any two bundles beside each other.

use axum::response::Response;
use serde::Deserialize;

use super::super::{Site, page};
use crate::console::page::DifferencePage;
use crate::console::part::{Count, IdChip, Mark};
use crate::console::show::escape;
use crate::console::view::{self, Choice, Section};
use crate::ops::policy;
use crate::problem::Problem;
use crate::wire::{BundleLine, DifferenceQuery, Leaning, MatrixChange};

/// Changed cells on the page; the API has more of them.
const CELLS_SHOWN: usize = 500;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Query {
    from: Option<String>,
    to: Option<String>,
}

pub(in super::super) async fn show(site: &Site) -> Result<Response, Problem> {
    let query: Query = site.query()?;
    let bundles = policy::list(&site.plane, &site.caller).await?.into_part()?.items;
    let in_force = site.snapshot.bundle().digest().to_string();
    let from = query.from.unwrap_or_else(|| in_force.clone());
    // The newest of the others is what somebody is about to decide on.
    let other = || bundles.iter().find(|line| line.digest != from).map(|line| line.digest.clone());
    let to = query.to.or_else(other).unwrap_or(in_force);
    let asked = DifferenceQuery { from: Some(from) };
    let found = policy::compare(&site.plane, &site.caller, &to, asked).await?.into_part()?;
    let (before, after) = (&found.from.digest, &found.to.digest);
    let more = found.looser + found.stricter + found.other;
    let view = view::Difference {
        from: choices(&bundles, &found.from),
        to: choices(&bundles, &found.to),
        before: super::row(site, &found.from),
        after: super::row(site, &found.to),
        back: (before != after)
            .then(|| format!("/policy/difference?from={}&to={}", escape(after), escape(before))),
        files: super::files(&found.files),
        looser: Count(found.looser),
        stricter: Count(found.stricter),
        other: Count(found.other),
        cells: found.cells.iter().take(CELLS_SHOWN).map(cell).collect(),
        more: more.saturating_sub(u64::try_from(CELLS_SHOWN).unwrap_or(u64::MAX)),
    };
    page(&DifferencePage { shell: site.shell(Section::Policy, "Difference").await, view })
}

/// Every bundle of the list, and the chosen one even where it is older than those.
fn choices(bundles: &[BundleLine], chosen: &BundleLine) -> Vec<Choice> {
    let missing = Some(chosen).filter(|chosen| bundles.iter().all(|line| line.digest != chosen.digest));
    let choice = |line: &BundleLine| Choice {
        value: line.digest.clone(),
        label: format!(
            "{} {} · {} · {}",
            line.name,
            line.version,
            super::word(line.stage),
            IdChip::new(line.digest.clone()).short
        ),
        chosen: line.digest == chosen.digest,
    };
    missing.into_iter().chain(bundles).map(choice).collect()
}

fn cell(cell: &MatrixChange) -> view::ChangedCell {
    let outcome = |outcome: &Option<String>| outcome.clone().unwrap_or_else(|| "not there".to_owned());
    view::ChangedCell {
        leaning: match cell.leaning {
            Leaning::Looser => "looser",
            Leaning::Stricter => "stricter",
            Leaning::Other => "other",
        },
        mark: Mark::of(cell.privilege, cell.leaning != Leaning::Stricter),
        action: cell.action.clone(),
        resource: cell.resource.clone(),
        holder: cell.holder.clone(),
        condition: cell.condition.clone(),
        before: outcome(&cell.before),
        after: outcome(&cell.after),
    }
}
