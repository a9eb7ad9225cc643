//! Recorded decisions made again under a bundle: whose would be others, and how.

use std::convert::Infallible;
use std::sync::Arc;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::super::{Site, page, render, sentence};
use crate::console::page::{ReplayFiguresPart, ReplayPage};
use crate::console::part::{Count, IdChip, Mark};
use crate::console::show;
use crate::console::view::{self, Section};
use crate::ops::policy;
use crate::ops::replay::{self, Progress};
use crate::problem::Problem;
use crate::wire::{FlipGroupView, FlipView, ReplayReport, ReplayRequest};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Query {
    last: Option<u64>,
    days: Option<u32>,
}

impl Query {
    /// `None` until somebody asks for it.
    fn wanted(&self) -> Option<ReplayRequest> {
        self.last.map(|last| ReplayRequest { last: Some(last), days: self.days, before: None })
    }
}

pub(in super::super) async fn show(site: &Site, bundle: &str) -> Result<Response, Problem> {
    let query: Query = site.query()?;
    let line = policy::head(&site.plane, &site.caller, bundle).await?.into_part()?;
    let report = match query.wanted() {
        Some(request) => {
            let found = replay::replay_bundle(&site.plane, &site.caller, bundle, request).await?;
            Some(figures(&found.into_part()?))
        }
        None => None,
    };
    let view = view::Replay {
        bundle: super::row(site, &line),
        last: query.last.unwrap_or(ReplayRequest::LAST_MAX),
        last_max: ReplayRequest::LAST_MAX,
        days: query.days.unwrap_or(ReplayRequest::DAYS),
        run: format!("/policy/{bundle}/replay/run"),
        report,
    };
    page(&ReplayPage { shell: site.shell(Section::Policy, "Replay").await, view })
}

/// The same told as it goes: `progress` with how many of how many, then `done` with what the page would show, or
/// `failed` with why not.
pub(in super::super) async fn run(site: &Site, bundle: &str) -> Result<Response, Problem> {
    let query: Query = site.query()?;
    let request = query.wanted().ok_or_else(|| Problem::malformed("`last` is missing"))?;
    let (plane, caller, bundle) = (Arc::clone(&site.plane), site.caller.clone(), bundle.to_owned());
    let (tell, hears) = watch::channel(Progress::default());
    let work = tokio::spawn(async move {
        let found = replay::replay_watched(&plane, &caller, &bundle, request, tell).await?;
        render(&ReplayFiguresPart { report: figures(&found.into_part()?) })
    });
    let events = stream::unfold(Telling::Working { work, hears }, Telling::next);
    Ok(Sse::new(events).keep_alive(KeepAlive::new()).into_response())
}

enum Telling {
    Working { work: JoinHandle<Result<String, Problem>>, hears: watch::Receiver<Progress> },
    Told,
}

impl Telling {
    async fn next(self) -> Option<(Result<Event, Infallible>, Self)> {
        let Self::Working { mut work, mut hears } = self else { return None };
        let ended = tokio::select! {
            ended = &mut work => ended,
            Ok(()) = hears.changed() => {
                let Progress { replayed, of } = *hears.borrow_and_update();
                let told = format!("{replayed} {}", of.unwrap_or_default());
                return Some((Ok(Event::default().event("progress").data(told)), Self::Working { work, hears }));
            }
        };
        let ended = ended.unwrap_or_else(|error| Err(Problem::internal("replaying decisions", &error)));
        let event = match ended {
            Ok(html) => Event::default().event("done").data(html.replace(['\r', '\n'], "")),
            Err(problem) => Event::default().event("failed").data(sentence(&problem.message)),
        };
        Some((Ok(event), Self::Told))
    }
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
        policy_link: group
            .policy
            .as_ref()
            .map(|policy| show::policy_link(group.bundle.as_deref().unwrap_or(bundle), policy)),
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
