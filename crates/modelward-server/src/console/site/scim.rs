//! The page on provisioning clients.

use axum::response::Response;
use modelward_decision::vocabulary::{Action, ResourceRef};
use serde::Deserialize;

use super::{Site, page, see_other};
use crate::console::page::{ConfirmPage, ProvisioningPage};
use crate::console::part::{Count, When};
use crate::console::view::{self, Section};
use crate::ops::scim;
use crate::problem::Problem;
use crate::wire::{ScimClientView, ScimState};

pub(super) async fn show(site: &Site) -> Result<Response, Problem> {
    let list = scim::list(&site.plane, &site.caller).await?.into_part()?;
    let view = view::Provisioning {
        rows: list.items.iter().map(|client| row(site, client)).collect(),
        can_change: site.may(Action::ManagePeople, ResourceRef::Platform),
    };
    page(&ProvisioningPage { shell: site.shell(Section::People, "Provisioning").await, view })
}

fn row(site: &Site, client: &ScimClientView) -> view::ProvisioningRow {
    let meaning = match client.state {
        ScimState::Active => String::new(),
        ScimState::Paused => format!(
            "It ended {} people within ten minutes, and nothing more it wants to change is taken. Find out at the source \
             whether that is meant; if it is, let it go on, and for an hour nothing is counted. If it is not, revoke it.",
            client.ended_lately
        ),
        ScimState::Expired => "None of its secrets counts any more: make another one.".to_owned(),
    };
    let breaker = match client.passes_until {
        Some(until) => format!("counts nothing until {}", When::clock(until, site.now)),
        None => format!(
            "{} people ended in the last ten minutes; more than {}, or than {} % of its people, pause it",
            client.ended_lately, client.pause_above, client.pause_above_percent
        ),
    };
    view::ProvisioningRow {
        name: client.name.to_string(),
        issuer: client.issuer.to_string(),
        trouble: (client.state != ScimState::Active).then_some(client.state.as_str()),
        meaning,
        is_paused: client.state == ScimState::Paused,
        people: Count(client.people),
        groups: Count(client.groups),
        seen: client.seen_at.map(|at| When::distance(at, site.now)),
        changed: client.changed_at.map(|at| When::distance(at, site.now)),
        secrets: client.secrets_end_at.iter().map(|at| When::distance(*at, site.now)).collect(),
        breaker,
        made: format!("by {}", client.made_by),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeForm {
    #[serde(rename = "csrf")]
    _csrf: String,
    #[serde(rename = "do")]
    what: String,
    #[serde(default)]
    confirmed: Option<String>,
}

pub(super) async fn change(site: &Site, name: &str) -> Result<Response, Problem> {
    let form: ChangeForm = site.form()?;
    match (form.what.as_str(), form.confirmed.is_some()) {
        ("revoke", true) => {
            scim::revoke(&site.plane, &site.caller, name).await?.into_part()?;
            Ok(see_other("/provisioning"))
        }
        ("resume", true) => {
            scim::resume(&site.plane, &site.caller, name).await?.into_part()?;
            Ok(see_other("/provisioning"))
        }
        ("revoke" | "resume", false) => confirm(site, name, &form.what).await,
        _ => Err(Problem::malformed("a provisioning client is revoked or goes on")),
    }
}

async fn confirm(site: &Site, name: &str, what: &str) -> Result<Response, Problem> {
    let list = scim::list(&site.plane, &site.caller).await?.into_part()?;
    let client = list.items.iter().find(|client| client.name.as_str() == name);
    let client = client.ok_or_else(|| Problem::not_found("provisioning client", name))?;
    let (headline, effect, undo, verb) = if what == "revoke" {
        (
            format!("Revoke {name}?"),
            format!(
                "Its secrets end now. The {} people it brought stay as they are, and nobody at the source can end or \
                 change them here any more.",
                client.people
            ),
            "It does not come back: another one is made with `modelward scim add`.",
            "Revoke",
        )
    } else {
        (
            format!("Let {name} go on?"),
            format!(
                "It ended {} of {} people within ten minutes. For an hour it can end as many as it wants, each with \
                 every session, token and grant of theirs.",
                client.ended_lately, client.people
            ),
            "Whoever was ended comes back at the source, without grants.",
            "Let it go on",
        )
    };
    let view = view::Confirm {
        headline,
        effect,
        undo: undo.to_owned(),
        action: format!("/provisioning/{}", client.name),
        what: what.to_owned(),
        verb: verb.to_owned(),
        back: "/provisioning".to_owned(),
        also: None,
    };
    page(&ConfirmPage { shell: site.shell(Section::People, "Provisioning").await, view })
}
