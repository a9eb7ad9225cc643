//! The page on gateways in processes of their own.

use axum::response::Response;

use super::{Site, page};
use crate::console::page::GatewaysPage;
use crate::console::part::{Count, When};
use crate::console::view::{self, Section};
use crate::ops::gateways;
use crate::problem::Problem;
use crate::wire::{GatewayState, GatewayView};

pub(super) async fn show(site: &Site) -> Result<Response, Problem> {
    let list = gateways::list(&site.plane, &site.caller).await?.into_part()?;
    let rows = list.items.iter().map(|gateway| row(site, gateway)).collect();
    let view = view::Gateways { rows, revision: Count(list.revision) };
    page(&GatewaysPage { shell: site.shell(Section::Ledger, "Gateways").await, view })
}

fn row(site: &Site, gateway: &GatewayView) -> view::GatewayRow {
    view::GatewayRow {
        name: gateway.name.to_string(),
        state: gateway.state.as_str(),
        meaning: meaning(gateway.state),
        is_well: gateway.state == GatewayState::Current,
        revision: gateway.revision.map(Count),
        behind: Count(gateway.behind),
        seen: gateway.seen_at.map(|at| When::distance(at, site.now)),
        enrolled: gateway.enrolled_at.map(|at| When::distance(at, site.now)),
    }
}

const fn meaning(state: GatewayState) -> &'static str {
    match state {
        GatewayState::Invited => "its code was not typed yet",
        GatewayState::Current => "up to date",
        GatewayState::Stale => "not heard of: reading and predictions at most, and nothing after 30 s",
        GatewayState::Fenced => "it has not taken over the newest change: nothing is counted for it",
    }
}
