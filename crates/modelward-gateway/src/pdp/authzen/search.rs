//! The three searches: candidates come from the index of grants, and each is confirmed by the decision.
//!
//! What is found is exactly what an evaluation would allow this caller, no more: its scope and what it can do count here
//! too. A search is recorded once, as what its caller did.

use modelward_decision::search::{principals, resources};
use modelward_decision::vocabulary::{Action, PrincipalRef, ResourceRef};
use modelward_enforcement::{Ending, NoPermit, Operation, ReleaseClass, Situation, Status};
use serde_json::{Map, Value, json};

use super::answer;
use super::evaluate::{Asker, closed, obligations};
use super::message::{Circumstances, Entity, circumstances, required};
use super::page::Page;
use super::problem::{Kind, Problem};
use crate::pdp::names;

/// Candidates that are weighed for one page at most. A page can so hold fewer results than asked for, and another follow.
const WEIGHED_MAX: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    Subject,
    Resource,
    Action,
}

/// A page under way.
struct Found {
    results: Vec<Value>,
    /// Where the next page begins, if there is one.
    next: Option<u128>,
}

impl Search {
    pub(super) const fn metadata_key(self) -> &'static str {
        match self {
            Self::Subject => "search_subject_endpoint",
            Self::Resource => "search_resource_endpoint",
            Self::Action => "search_action_endpoint",
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Resource => "resource",
            Self::Action => "action",
        }
    }
}

impl Asker<'_> {
    pub(super) async fn search(
        &self,
        search: Search,
        request: &Map<String, Value>,
    ) -> Result<Value, Problem> {
        let said = circumstances(request, None)?;
        let page = Page::read(request, search.as_str(), self.caller.name.as_str())?;
        let found = match search {
            Search::Subject => self.subjects(request, &said, &page)?,
            Search::Resource => self.resources(request, &said, &page)?,
            Search::Action => self.actions(request, &said, &page)?,
        };
        self.record(search, found, &page).await
    }

    fn subjects(
        &self,
        request: &Map<String, Value>,
        said: &Circumstances,
        page: &Page,
    ) -> Result<Found, Problem> {
        let kind = names::principal_kind(&required(request, None, "subject", "type")?);
        let action = action_of(request)?;
        let resource = self.resource(&entity(request, "resource")?);
        let (Some(kind), Some(action)) = (kind, action) else { return Ok(Found::nothing()) };
        let situation = self.situation(resource, said);
        let candidates = principals(self.snapshot, action, resource, situation.endpoint, kind, page.after)
            .map(|subject| (subject.bits(), subject));
        Ok(self.pick(candidates, page, |subject| {
            if !self.caller.reaches_subject(self.snapshot, subject) {
                return None;
            }
            let (kind, id) = names::named_subject(self.snapshot, subject)?;
            self.result(json!({ "type": kind, "id": id }), (subject, action, resource), said, &situation)
        }))
    }

    fn resources(
        &self,
        request: &Map<String, Value>,
        said: &Circumstances,
        page: &Page,
    ) -> Result<Found, Problem> {
        let subject = self.subject(&entity(request, "subject")?);
        let action = action_of(request)?;
        let kind = names::resource_kind(&required(request, None, "resource", "type")?);
        let (Some(kind), Some(action)) = (kind, action) else { return Ok(Found::nothing()) };
        let candidates = resources(self.snapshot, subject, action, kind, page.after)
            .map(|resource| (resource.bits(), resource));
        Ok(self.pick(candidates, page, |resource| {
            if !self.caller.reaches_resource(self.snapshot, resource) {
                return None;
            }
            let (kind, id) = names::named_resource(self.snapshot, resource)?;
            let situation = self.situation(resource, said);
            self.result(json!({ "type": kind, "id": id }), (subject, action, resource), said, &situation)
        }))
    }

    fn actions(
        &self,
        request: &Map<String, Value>,
        said: &Circumstances,
        page: &Page,
    ) -> Result<Found, Problem> {
        let subject = self.subject(&entity(request, "subject")?);
        let resource = self.resource(&entity(request, "resource")?);
        let situation = self.situation(resource, said);
        let from = page.after.map_or(0, |last| last.saturating_add(1));
        let candidates = (0_u128..)
            .zip(Action::ALL)
            .filter(|(place, action)| *place >= from && action.resources().contains(&resource.kind()));
        Ok(self.pick(candidates, page, |action| {
            self.result(json!({ "name": action.as_str() }), (subject, action, resource), said, &situation)
        }))
    }

    /// Fills a page, and looks far enough ahead to say whether another follows.
    fn pick<T>(
        &self,
        candidates: impl Iterator<Item = (u128, T)>,
        page: &Page,
        weigh: impl Fn(T) -> Option<Value>,
    ) -> Found {
        let mut found = Found::nothing();
        let mut last = None;
        for (weighed, (place, candidate)) in candidates.enumerate() {
            if weighed == WEIGHED_MAX {
                found.next = last;
                break;
            }
            let Some(result) = weigh(candidate) else {
                if found.results.len() < page.limit {
                    last = Some(place);
                }
                continue;
            };
            if found.results.len() == page.limit {
                found.next = last;
                break;
            }
            found.results.push(result);
            last = Some(place);
        }
        found
    }

    /// The result with its obligations, if it is allowed.
    fn result(
        &self,
        mut shown: Value,
        (subject, action, resource): (PrincipalRef, Action, ResourceRef),
        said: &Circumstances,
        situation: &Situation,
    ) -> Option<Value> {
        let operation =
            Operation::new(action, resource, self.mark, ()).asking(said.ask.clone()).about(subject);
        let decision = self.enforcer(said).weigh(self.snapshot, self.who, &operation, situation)?;
        let left_out = said.ask.fields.difference(&decision.held_fields).copied().collect();
        let obligations = obligations(&decision.obligations, left_out);
        if !obligations.is_empty()
            && let Some(shown) = shown.as_object_mut()
        {
            shown.insert("context".to_owned(), json!({ "obligations": answer::list(&obligations) }));
        }
        Some(shown)
    }

    /// The page, once it stands in the ledger who searched for what.
    async fn record(&self, search: Search, found: Found, page: &Page) -> Result<Value, Problem> {
        let summary = self.summary().with("search", search.as_str()).with("results", found.results.len());
        let operation = Operation::new(Action::ReadSelf, ResourceRef::Platform, self.mark, ())
            .released_as(ReleaseClass::R1)
            .summarised(summary);
        let situation = self.situation(ResourceRef::Platform, &Circumstances::default());
        let refused = |no: NoPermit| match no {
            NoPermit::Denied(denial) => Problem::new(Kind::Forbidden, denial.decision().sentence.clone()),
            NoPermit::Unavailable(_) => closed(),
        };
        let enforced =
            self.door.shared.enforcer.enforce(self.who, operation, &situation).await.map_err(refused)?;
        let ((), opened) = enforced.permit.open();
        let durable = enforced.record.durable().await.map_err(refused)?;
        let next = found.next.map_or_else(String::new, |last| page.token(last));
        let count = found.results.len();
        let document = json!({ "results": found.results, "page": { "next_token": next, "count": count } });
        let disclosed = opened.answer(document).disclose(&durable).map_err(|error| {
            tracing::error!(%error, "an answer met another request's record");
            closed()
        })?;
        let (document, gate) = disclosed.into_parts();
        durable.conclude(&Ending::new(Status::Done));
        drop(gate);
        Ok(document)
    }
}

impl Found {
    const fn nothing() -> Self {
        Self { results: Vec::new(), next: None }
    }
}

/// An action nobody has is found nowhere.
fn action_of(request: &Map<String, Value>) -> Result<Option<Action>, Problem> {
    Ok(required(request, None, "action", "name")?.parse().ok())
}

fn entity(request: &Map<String, Value>, key: &str) -> Result<Entity, Problem> {
    Ok(Entity { kind: required(request, None, key, "type")?, id: required(request, None, key, "id")? })
}
