//! Recorded decisions made again under a bundle: whose would be others, and how.

use axum::response::Response;
use serde::Deserialize;

use super::super::{Site, page};
use crate::console::page::ReplayPage;
use crate::console::part::{Count, IdChip, Mark};
use crate::console::show;
use crate::console::view::{self, Section};
use crate::ops::{policy, replay};
use crate::problem::Problem;
use crate::wire::{FlipGroupView, FlipView, ReplayReport, ReplayRequest};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Query {
    last: Option<u64>,
}

pub(in super::super) async fn show(site: &Site, bundle: &str) -> Result<Response, Problem> {
    let query: Query = site.query()?;
    let line = policy::head(&site.plane, &site.caller, bundle).await?.into_part()?;
    let report = match query.last {
        Some(last) => {
            let request = ReplayRequest { last: Some(last), ..ReplayRequest::default() };
            let found = replay::replay_bundle(&site.plane, &site.caller, bundle, request).await?;
            Some(figures(&found.into_part()?))
        }
        None => None,
    };
    let view = view::Replay {
        bundle: super::row(site, &line),
        last: query.last.unwrap_or(ReplayRequest::LAST),
        last_max: ReplayRequest::LAST_MAX,
        report,
    };
    page(&ReplayPage { shell: site.shell(Section::Policy, "Replay").await, view })
}

fn figures(report: &ReplayReport) -> view::ReplayFigures {
    let of = |direction: &str| {
        let groups = report.groups.iter().filter(|it| it.direction.as_deref() == Some(direction));
        Count(groups.map(|it| it.count).sum())
    };
    view::ReplayFigures {
        is_empty: report.replayed == 0,
        replayed: Count(report.replayed),
        flips: Count(report.flips),
        looser: of("looser"),
        stricter: of("stricter"),
        obliged: of("obligations"),
        groups: report.groups.iter().map(|it| group(&report.bundle, it)).collect(),
    }
}

fn group(bundle: &str, group: &FlipGroupView) -> view::FlipGroup {
    let direction = group.direction.clone().unwrap_or_default();
    let shown = u64::try_from(group.examples.len()).unwrap_or(u64::MAX);
    view::FlipGroup {
        mark: Mark::of(group.privilege, direction != "stricter"),
        action: group.action.clone(),
        policy_link: group.policy.as_ref().map(|policy| show::policy_link(bundle, policy)),
        policy: group.policy.clone(),
        count: Count(group.count),
        is_one: group.count == 1,
        rows: group.examples.iter().map(row).collect(),
        more: group.count.saturating_sub(shown),
        direction,
    }
}

fn row(flip: &FlipView) -> view::FlipRow {
    view::FlipRow {
        id: IdChip::new(flip.decision.to_string()),
        link: format!("/decisions/{}", flip.decision),
        principal: flip.principal.clone(),
        resource: flip.resource.clone(),
    }
}
