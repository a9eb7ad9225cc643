//! The page on security signals: what stands, who tells, what was received.

use axum::response::Response;

use super::{Site, page};
use crate::console::page::SignalsPage;
use crate::console::part::When;
use crate::console::view::{self, Section};
use crate::ops::signals;
use crate::problem::Problem;
use crate::wire::{ReceivedView, StandingView, TransmitterView};

pub(super) async fn show(site: &Site) -> Result<Response, Problem> {
    let (plane, caller) = (&site.plane, &site.caller);
    let standing = signals::standing(plane, caller).await?.into_part()?;
    let received = signals::received(plane, caller).await?.into_part()?;
    let transmitters = signals::transmitters(plane, caller).await?.into_part()?;
    let view = view::Signals {
        standing: standing.items.into_iter().map(|one| stands(site, one)).collect(),
        transmitters: transmitters.items.into_iter().map(|one| tells(site, one)).collect(),
        received: received.items.into_iter().map(|one| came(site, one)).collect(),
    };
    page(&SignalsPage { shell: site.shell(Section::People, "Security signals").await, view })
}

fn stands(site: &Site, one: StandingView) -> view::StandingRow {
    let does = one.responses.iter().map(|does| format!("{} {}", does.response, does.privilege));
    view::StandingRow {
        about: one.about,
        signal: one.signal.to_string(),
        title: one.title,
        since: When::distance(one.raised_at, site.now),
        until: When::distance(one.until, site.now),
        by: one.by.to_string(),
        does: does.collect::<Vec<_>>().join(", "),
    }
}

fn tells(site: &Site, one: TransmitterView) -> view::TransmitterRow {
    let (state, is_well) = match (one.distrusted_at, one.silent) {
        (Some(_), _) => ("distrusted", false),
        (None, true) => ("silent", false),
        (None, false) => ("believed", true),
    };
    view::TransmitterRow {
        name: one.name.to_string(),
        title: one.title,
        state,
        is_well,
        heard: one.heard_at.map(|at| When::distance(at, site.now)),
        delivers: if one.polled { "fetched from it".to_owned() } else { one.push_url },
    }
}

fn came(site: &Site, one: ReceivedView) -> view::ReceivedRow {
    view::ReceivedRow {
        at: When::distance(one.at, site.now),
        transmitter: one.transmitter,
        event: one.event,
        about: one.about,
        effect: one.effect,
        reason: one.reason,
    }
}
