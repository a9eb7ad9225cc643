//! From wire shapes to views: the console shows what the API answers, in its own words.

use jiff::Timestamp;
use modelward_decision::vocabulary::Privilege;

use super::part::{Count, IdChip, Mark, When};
use super::view;
use crate::wire::{
    AccessRow, CanAnswer, DecisionLine, DecisionView, FactView, GrantView, LedgerPlace, MarkState,
    MatrixMark, PolicyView, PrincipalView, RemedyView, SessionView, SmallestView, TraceView,
};
use crate::words;

pub(crate) fn marks(marks: &[MatrixMark]) -> Vec<Mark> {
    marks.iter().map(Mark::from).collect()
}

pub(crate) fn access(rows: &[AccessRow]) -> view::Access {
    view::Access::Rows(
        rows.iter()
            .map(|row| view::AccessRow {
                name: row.principal.name.clone(),
                kind: row.principal.kind.clone(),
                marks: marks(&row.marks),
            })
            .collect(),
    )
}

fn principal_name(principal: Option<&PrincipalView>) -> String {
    principal.map_or_else(|| "unknown".to_owned(), |principal| principal.name.clone())
}

pub(crate) fn decision_row(line: &DecisionLine, now: Timestamp) -> view::DecisionRow {
    view::DecisionRow {
        link: format!("/decisions/{}", line.id),
        at: When::clock(line.at, now),
        allowed: line.allowed,
        outcome: line.outcome.clone(),
        principal: principal_name(line.principal.as_ref()),
        mark: Mark::of(line.privilege, line.allowed),
        action: line.action.as_str().to_owned(),
        resource: line.resource.name.clone(),
        environment: line.environment.clone(),
        sentence: line.sentence.clone(),
        count: line.count,
    }
}

/// What would be enough all together, then what would help one by one.
fn with_smallest(smallest: Option<&SmallestView>, single: &[RemedyView]) -> Vec<view::Remedy> {
    let enough = smallest.map(|it| view::Remedy { text: it.sentence.clone(), command: None });
    enough.into_iter().chain(remedies(single)).collect()
}

fn remedies(remedies: &[RemedyView]) -> Vec<view::Remedy> {
    remedies.iter().map(|it| view::Remedy { text: it.text.clone(), command: it.command.clone() }).collect()
}

fn facts(facts: &[FactView], now: Timestamp) -> Vec<view::FactRow> {
    facts
        .iter()
        .map(|fact| view::FactRow {
            name: fact.name.clone(),
            value: fact.value.clone(),
            source: fact.source.clone(),
            age: fact.observed_at.map(|at| When::distance(at, now)),
            confidence: fact.confidence.clone(),
        })
        .collect()
}

fn candidates(trace: Option<&TraceView>) -> Vec<view::Candidate> {
    trace
        .into_iter()
        .flat_map(|trace| &trace.candidates)
        .map(|candidate| view::Candidate {
            title: candidate.policy.title.clone(),
            policy: candidate.policy.id.clone(),
            effect: candidate.effect.clone(),
            verdict: candidate.verdict.clone(),
            grant: candidate.grant.map(|id| IdChip::new(id.to_string())),
            clauses: candidate
                .clauses
                .iter()
                .map(|clause| view::Clause {
                    text: clause.text.clone(),
                    verdict: clause.verdict.clone(),
                    values: clause.values.clone(),
                })
                .collect(),
        })
        .collect()
}

/// Parts what mattered from the forbids that did not apply.
fn parted(candidates: Vec<view::Candidate>) -> (Vec<view::Candidate>, Vec<view::Candidate>) {
    candidates.into_iter().partition(|it| it.effect == "permit" || it.verdict != "not satisfied")
}

/// The text of each policy, with the lines lit that hold a clause which settled it: what was true of a forbid, what was
/// false of a permit.
fn policies(
    policies: &[PolicyView],
    candidates: &[view::Candidate],
    bundle: Option<&str>,
) -> Vec<view::PolicyRow> {
    policies
        .iter()
        .map(|policy| {
            let settled: Vec<String> = candidates
                .iter()
                .filter(|candidate| candidate.policy == policy.id)
                .flat_map(|candidate| &candidate.clauses)
                .map(|clause| squeezed(&clause.text))
                .collect();
            let text = policy.text.as_deref().unwrap_or_default();
            view::PolicyRow {
                link: bundle.map(|whole| policy_link(policy.bundle.as_deref().unwrap_or(whole), &policy.id)),
                id: policy.id.clone(),
                title: policy.title.clone(),
                owner: policy.owner.clone(),
                lines: text
                    .lines()
                    .map(|line| {
                        let bare = squeezed(line);
                        let lit = bare.len() > 8
                            && settled
                                .iter()
                                .any(|clause| clause.contains(&bare) || bare.contains(clause.as_str()));
                        view::PolicyLine { text: line.to_owned(), lit }
                    })
                    .collect(),
            }
        })
        .collect()
}

/// Without spaces and the marks around a condition, so that a clause is found in its policy however it is laid out.
fn squeezed(text: &str) -> String {
    let bare: String = text.chars().filter(|char| !char.is_whitespace()).collect();
    let bare = bare.trim_start_matches("when").trim_start_matches("unless");
    bare.trim_matches(['{', '}', ';', '(', ')', '&', '!']).to_owned()
}

fn proof(place: &LedgerPlace) -> view::Proof {
    view::Proof {
        index: place.index,
        index_shown: Count(place.index),
        leaf_hash: IdChip::new(place.leaf_hash.clone()),
        tree_size: place.tree_size.map(Count),
        text: place.proof.clone(),
        command: format!("modelward ledger prove {}", place.index),
    }
}

pub(crate) fn entry_proof(place: &LedgerPlace) -> view::Proof {
    proof(place)
}

pub(crate) fn answer(answer: &CanAnswer, now: Timestamp) -> view::Answer {
    let question = &answer.question;
    let who = question.principal.display_name.clone().unwrap_or_else(|| question.principal.name.clone());
    let at = if question.at == now || question.at.duration_since(now).abs().as_secs() < 60 {
        "now".to_owned()
    } else {
        question.at.strftime("%Y-%m-%d %H:%M UTC").to_string()
    };
    let (trace, passed) = parted(candidates(answer.trace.as_ref()));
    view::Answer {
        allowed: answer.allowed,
        headline: if answer.allowed { "Yes." } else { "No." }.to_owned(),
        sentence: answer.sentence.clone(),
        understood: vec![
            ("who".to_owned(), who),
            ("does".to_owned(), crate::question::in_words(question.action)),
            ("to".to_owned(), question.resource.name.clone()),
            ("in".to_owned(), question.environment.clone()),
            ("at".to_owned(), at),
        ],
        mark: Mark::of(question.privilege, answer.allowed),
        remedies: with_smallest(answer.smallest.as_ref(), &answer.remedies),
        obligations: answer.obligations.iter().map(|it| it.text.clone()).collect(),
        facts: facts(&answer.facts, now),
        policies: policies(&answer.determining, &trace, None),
        trace,
        passed,
        decision: IdChip::new(answer.decision.to_string()),
        revision: Count(answer.revision),
    }
}

/// The page of a policy.
pub(crate) fn policy_link(bundle: &str, policy: &str) -> String {
    format!("/policy/{bundle}/policies/{}", escape(policy))
}

/// `sees_bundles` leads to the policies that settled it.
pub(crate) fn decision(view: &DecisionView, now: Timestamp, sees_bundles: bool) -> view::Decision {
    let bundle = Some(view.bundle.as_str()).filter(|bundle| sees_bundles && !bundle.is_empty());
    let line = &view.line;
    let principal = principal_name(line.principal.as_ref());
    let (trace, passed) = parted(candidates(view.trace.as_ref()));
    let question = format!(
        "{principal} · {} · {} · {}",
        crate::question::in_words(line.action),
        line.resource.name,
        line.environment
    );
    view::Decision {
        id: IdChip::new(line.id.to_string()),
        allowed: line.allowed,
        outcome: line.outcome.clone(),
        sentence: line.sentence.clone(),
        at: When::new(line.at, now),
        phrase: crate::question::in_words(line.action),
        action: line.action.as_str().to_owned(),
        mark: Mark::of(line.privilege, line.allowed),
        resource: line.resource.name.clone(),
        environment: line.environment.clone(),
        grant: view.grant.map(|id| IdChip::new(id.to_string())),
        covering: view.covering.iter().map(|id| IdChip::new(id.to_string())).collect(),
        remedies: with_smallest(view.smallest.as_ref(), &view.remedies),
        obligations: view.obligations.iter().map(|it| it.text.clone()).collect(),
        held_fields: view.held_fields.iter().map(ToString::to_string).collect(),
        facts: facts(&view.facts, now),
        policies: policies(&view.determining, &trace, bundle),
        trace,
        passed,
        afterwards: view.outcome_entry.as_ref().map(|outcome| outcome.text.clone()),
        proof: proof(&view.ledger),
        revision: Count(view.revision),
        bundle: IdChip::new(view.bundle.clone()),
        schema: IdChip::new(view.schema.clone()),
        can_link: format!("/can?q={}", escape(&question)),
        principal,
    }
}

/// Text as it stands in a query (RFC 3986, 2.3).
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

pub(crate) fn grant_row(grant: &GrantView, now: Timestamp) -> view::GrantRow {
    let by = grant.origin.by.as_ref().map(|by| format!(", by {}", by.name)).unwrap_or_default();
    let origin = match grant.origin.approvals {
        0 => format!("{}{by}", grant.origin.kind),
        approvals => format!("{}, {approvals} approvals", grant.origin.kind),
    };
    view::GrantRow {
        id: IdChip::new(grant.id.to_string()),
        link: format!("/grants/{}", grant.id),
        grantee: grant.grantee.name.clone(),
        grantee_kind: grant.grantee.kind.clone(),
        mark: Mark::new(
            grant.privilege,
            if grant.state.as_str() == "live" { MarkState::Allow } else { MarkState::Needs },
        ),
        privilege: grant.privilege.to_string(),
        scope: grant.scope.name.clone(),
        conditions: grant.conditions_text.clone(),
        state: grant.state.as_str().to_owned(),
        until: When::new(grant.not_after, now),
        origin,
        uses: grant.uses.map(|uses| match grant.conditions.max_uses {
            Some(max) => format!("{uses} of {max} uses"),
            None => format!("{uses} uses"),
        }),
    }
}

pub(crate) fn right_row(grant: &GrantView, mine: &PrincipalView, now: Timestamp) -> view::RightRow {
    let row = grant_row(grant, now);
    let scope_link = match grant.scope.kind.as_str() {
        "model" => Some(format!("/models/{}", grant.scope.name)),
        "version" => Some(format!("/models/{}", grant.scope.name)),
        _ => None,
    };
    view::RightRow {
        mark: row.mark,
        privilege: row.privilege,
        means: grant.privilege.summary().to_owned(),
        scope: row.scope,
        scope_link,
        conditions: row.conditions,
        until: row.until,
        via: if grant.grantee.id == mine.id { row.origin } else { format!("group {}", grant.grantee.name) },
        grant: row.id,
    }
}

pub(crate) fn session_row(session: &SessionView, now: Timestamp) -> view::SessionRow {
    let user_agent = match session.user_agent.as_str() {
        "" => "unknown program",
        known => known,
    };
    view::SessionRow {
        id: IdChip::new(session.id.to_string()),
        current: session.current,
        user_agent: user_agent.to_owned(),
        source: session.source.clone(),
        strength: match &session.issuer {
            Some(issuer) => format!("{} at {issuer}", words::methods(&session.methods)),
            None => words::methods(&session.methods),
        },
        signed_in: When::new(session.authenticated_at, now),
        last_seen: When::distance(session.last_seen_at, now),
        ends: When::distance(session.idle_until.min(session.expires_at), now),
    }
}

/// Every privilege one can hold, as choices; `first` stands for all of them.
pub(crate) fn privilege_choices(
    first: Option<&str>,
    chosen: Option<&str>,
    among: &[Privilege],
) -> Vec<view::Choice> {
    let all = first.map(|label| view::Choice {
        value: String::new(),
        label: label.to_owned(),
        chosen: chosen.is_none(),
    });
    let each = among.iter().map(|privilege| view::Choice {
        value: privilege.to_string(),
        label: privilege.to_string(),
        chosen: chosen == Some(privilege.as_str()),
    });
    all.into_iter().chain(each).collect()
}

pub(crate) fn choices(of: &[(&str, &str)], chosen: Option<&str>) -> Vec<view::Choice> {
    of.iter()
        .map(|(value, label)| view::Choice {
            value: (*value).to_owned(),
            label: (*label).to_owned(),
            chosen: chosen.unwrap_or_default() == *value,
        })
        .collect()
}

pub(crate) fn legend() -> Vec<view::Legend> {
    let marks =
        Privilege::ALL.into_iter().filter(|it| *it != Privilege::SelfService).map(|privilege| view::Legend {
            mark: Mark::allow(privilege),
            name: privilege.to_string(),
            means: privilege.summary().to_owned(),
        });
    let states = [
        (MarkState::Needs, "dashed", "a grant exists, something named is missing"),
        (MarkState::Deny, "outlined", "a grant exists, a guardrail says no"),
    ]
    .map(|(state, name, means)| view::Legend {
        mark: Mark::new(Privilege::Inference, state),
        name: name.to_owned(),
        means: means.to_owned(),
    });
    marks.chain(states).collect()
}
