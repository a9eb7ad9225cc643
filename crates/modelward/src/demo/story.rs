//! The story: what three people may do with two models, why not more, and how long a revocation takes.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use modelward_decision::vocabulary::{Name, Privilege};
use modelward_identity::token::ProofKey;
use modelward_server::wire::{
    Applied, ApplyGroupsRequest, ApplyRequest, CanAnswer, CanRequest, DecisionView, Declaration,
    DeclaredGroup, ErrorCode, GrantRequest, Granted, ModelView, RevokeRequest, Revoked, Secret,
};
use serde_json::json;
use tokio::time::Instant;

use super::gateway::{Answer, Caller, Events};
use super::people::{Actor, Desk};
use super::report::{Report, Step};
use super::system::System;
use crate::client::ClientError;
use crate::exit::{Exit, Failure};
use crate::output::Terminal;

/// Everybody in the story.
#[derive(Debug)]
pub(super) struct Cast {
    /// Governs and audits.
    pub(super) ada: Actor,
    /// May read.
    pub(super) rhea: Actor,
    /// May predict.
    pub(super) ian: Actor,
}

impl Cast {
    /// Each with the privileges they hold after the setting.
    pub(super) fn everybody(&self) -> impl Iterator<Item = (&Actor, &'static [Privilege])> {
        [
            (&self.ada, [Privilege::Govern, Privilege::Audit].as_slice()),
            (&self.rhea, [Privilege::ReadOnly].as_slice()),
            (&self.ian, [Privilege::Inference].as_slice()),
        ]
        .into_iter()
    }
}

/// Tells the setting: people, inventory, grants.
pub(super) struct Teller<'a> {
    pub(super) terminal: &'a Terminal,
    pub(super) desk: Desk<'a>,
    pub(super) system: &'a System,
    pub(super) report: Report,
}

const INFER: &str = "/diagnosis/v2/models/breast-cancer/infer";
const CHAT: &str = "/notes/v1/chat/completions";

impl<'a> Teller<'a> {
    /// `quietly` keeps the steps to itself.
    pub(super) fn new(terminal: &'a Terminal, system: &'a System, quietly: bool) -> Self {
        Self { terminal, desk: system.desk(), system, report: Report::new(quietly) }
    }

    pub(super) fn add(&mut self, step: Step) -> Result<(), Failure> {
        self.report.add(self.terminal, step).map_err(|error| Failure::of(Exit::Failure, &error))
    }

    /// Sets the stage: what later people and requests meet.
    pub(super) async fn set_up(&mut self, code: Secret) -> Result<Cast, Failure> {
        if let Some(upstream) = self.system.upstream() {
            let mut step = Step::new(
                "A model server runs in a process of its own; it knows nothing of Modelward",
                "2",
                "2",
            );
            for version in &upstream.versions {
                step = step.show(format!(
                    "{}/{}: trained on {} real cases, {:.1} % right on {} held back",
                    upstream.classifier,
                    version.version,
                    version.rows_trained,
                    version.accuracy * 100.0,
                    version.rows_held_out,
                ));
            }
            self.add(step.show(format!(
                "{}: a small language model of {} tokens",
                upstream.language_model, upstream.vocabulary
            )))?;
        }

        let ada = self.desk.enrol(code).await?;
        self.add(Step::new(
            "Ada types the one-time code, chooses a password and proves a second factor",
            "ada",
            ada.name.as_str(),
        ))?;

        self.declare(&ada).await?;
        let cast = self.grant_and_invite(ada).await?;
        Ok(cast)
    }

    async fn declare(&mut self, ada: &Actor) -> Result<(), Failure> {
        let text = include_str!("inventory/platform.toml");
        let declaration: Declaration =
            toml::from_str(text).map_err(|error| Failure::of(Exit::Failure, &error))?;
        let request = |dry_run| ApplyRequest { declaration: declaration.clone(), prune: false, dry_run };
        let planned: Applied = ada.client.post("/api/v1/apply", &request(true)).await?;
        let applied: Applied = ada.client.post("/api/v1/apply", &request(false)).await?;
        let again: Applied = ada.client.post("/api/v1/apply", &request(true)).await?;
        let group = |name: &str| -> Result<DeclaredGroup, Failure> {
            let name = Name::new(name).map_err(|error| Failure::of(Exit::Failure, &error))?;
            Ok(DeclaredGroup { name, parents: BTreeSet::new(), members: None })
        };
        let groups = ApplyGroupsRequest {
            groups: vec![group("readers")?, group("clinicians")?],
            prune: false,
            dry_run: false,
        };
        let _made: Applied = ada.client.post("/api/v1/groups", &groups).await?;
        let counted = |applied: &Applied| format!("{} changes", applied.changes.len());
        self.add(
            Step::new(
                "She declares models, endpoints and data in a file; applying it again changes nothing",
                format!("{}, then 0 changes", counted(&planned)),
                format!("{}, then {}", counted(&applied), counted(&again)),
            )
            .show("breast-cancer · confidential · trained on personal data    ward-notes · internal"),
        )
    }

    async fn grant_and_invite(&mut self, ada: Actor) -> Result<Cast, Failure> {
        for (group, privilege) in [("readers", Privilege::ReadOnly), ("clinicians", Privilege::Inference)] {
            let granted = self.grant(&ada, &format!("group:{group}"), privilege, "project:pathology").await?;
            let title = format!("She grants {privilege} on project pathology to {group}, for eight hours");
            self.add(Step::new(&title, privilege.as_str(), granted.grant.privilege.as_str()).show(format!(
                "{} {}",
                privilege.letter(),
                granted.grant.id.short()
            )))?;
        }
        let code = ada.invite("rhea", "Rhea Lindqvist", Some("readers")).await?;
        let rhea = self.desk.enrol(code).await?;
        let code = ada.invite("ian", "Ian Mbeki", Some("clinicians")).await?;
        let ian = self.desk.enrol(code).await?;
        self.add(Step::new("Rhea and Ian enrol", "rhea, ian", format!("{}, {}", rhea.name, ian.name)))?;
        let refused = match self.grant(&ada, "ian", Privilege::Inference, "ward-notes").await {
            Err(Refused::Answer(code, message)) => (code == ErrorCode::Refused, message),
            Err(Refused::Failed(failure)) => return Err(failure),
            Ok(_) => (false, "granted".to_owned()),
        };
        self.add(
            Step::new(
                "Two people in two groups hold second factors now: nobody grants anything alone any more",
                "refused",
                if refused.0 { "refused" } else { "not refused" },
            )
            .show(refused.1),
        )?;
        Ok(Cast { ada, rhea, ian })
    }

    async fn grant(
        &self,
        ada: &Actor,
        grantee: &str,
        privilege: Privilege,
        scope: &str,
    ) -> Result<Granted, Refused> {
        let request = GrantRequest {
            grantee: grantee.to_owned(),
            privilege,
            scope: scope.to_owned(),
            conditions: modelward_decision::grant::Conditions::default(),
            not_before: None,
            not_after: self.desk.clock.now() + SignedDuration::from_hours(8),
            dry_run: false,
        };
        match ada.client.post("/api/v1/grants", &request).await {
            Ok(granted) => Ok(granted),
            Err(ClientError::Refused { body, .. }) => {
                Err(Refused::Answer(body.error.code, body.error.message))
            }
            Err(error) => Err(Refused::Failed(error.into())),
        }
    }

    /// What happens on the set stage.
    pub(super) async fn tell(&mut self, cast: &Cast) -> Result<(), Failure> {
        self.read_only(&cast.rhea).await?;
        let decision = self.inference(&cast.ian).await?;
        self.theft(&cast.ian).await?;
        self.device(&cast.ian).await?;
        self.revocation(cast).await?;
        self.policy(&cast.ada).await?;
        self.record(&cast.ada, &decision).await
    }

    async fn read_only(&mut self, rhea: &Actor) -> Result<(), Failure> {
        let model: ModelView = rhea.client.read("/api/v1/models/breast-cancer").await?;
        let title = model
            .card
            .as_deref()
            .and_then(|card| card.lines().find(|line| !line.is_empty()))
            .unwrap_or("none");
        self.add(Step::new("R  Rhea, read-only, opens the model card", "# breast-cancer", title))?;
        let caller = self.caller(rhea, &[Privilege::ReadOnly]).await?;
        let answer = caller.post(INFER, &self.question()).await?;
        self.denied("R  Rhea asks the model for a prediction", 403, &answer)
    }

    async fn inference(&mut self, ian: &Actor) -> Result<String, Failure> {
        let caller = self.caller(ian, &[Privilege::Inference]).await?;
        let answer = caller.post(INFER, &self.question()).await?;
        let outputs = answer.body.get("outputs").and_then(serde_json::Value::as_array);
        let names: Vec<&str> =
            outputs.into_iter().flatten().filter_map(|output| output.get("name")?.as_str()).collect();
        let label =
            answer.body.pointer("/outputs/0/data/0").and_then(serde_json::Value::as_str).unwrap_or("nothing");
        let decision = answer.decision.clone().unwrap_or_default();
        self.add(
            Step::new(
                "I  Ian, inference, sends the measurements of a real case",
                "200 label",
                format!("{} {}", answer.status, names.join(" ")),
            )
            .show(format!("the model says {label}; the pathologist said {}", self.system.case.diagnosis))
            .show(format!("decision {decision}")),
        )?;
        let mut question = self.question();
        if let Some(question) = question.as_object_mut() {
            question.insert("outputs".to_owned(), json!([{ "name": "probability" }]));
        }
        let answer = caller.post(INFER, &question).await?;
        self.denied("I  Ian asks for the probability behind the label", 403, &answer)?;
        let chat = json!({ "model": "ward-notes", "messages": [{ "role": "user", "content": "A small radius" }], "max_tokens": 12, "logprobs": true });
        let answer = caller.post(CHAT, &chat).await?;
        self.denied("I  Ian asks the language model for log probabilities", 403, &answer)?;
        let request = CanRequest {
            action: "downloadWeights".to_owned(),
            resource: "breast-cancer/1".to_owned(),
            ..CanRequest::default()
        };
        let can: CanAnswer = ian.client.post("/api/v1/can", &request).await?;
        let verdict = if can.allowed { "allowed" } else { "denied" };
        let mut step = Step::new("I  Ian asks whether he may download the weights", "denied", verdict)
            .show(can.sentence);
        for remedy in can.remedies.iter().take(3) {
            step = step.show(format!("would change it: {}", remedy.text));
        }
        self.add(step)?;
        let answer = caller.read("/diagnosis/v2/models/breast-cancer/config").await?;
        self.denied("I  He tries a route the model server has and the gateway does not offer", 403, &answer)?;
        Ok(decision)
    }

    /// Somebody found a token of Ian's, and a whole request he once sent.
    async fn theft(&mut self, ian: &Actor) -> Result<(), Failure> {
        let broken = |error| Failure::of(Exit::Failure, &error);
        let [key, thief] = [ProofKey::generate(self.desk.ids), ProofKey::generate(self.desk.ids)];
        let (key, thief) = (key.map_err(broken)?, thief.map_err(broken)?);
        let token = ian.bound_token(&self.desk, &key).await?;
        let caller = Caller::new(self.system.gateway(), token.clone());
        let question = self.question();
        let url = caller.url(INFER);
        let own = self.desk.prove(&key, "POST", &url, Some(&token))?;
        let forged = self.desk.prove(&thief, "POST", &url, Some(&token))?;
        let mut statuses = Vec::new();
        for (scheme, proof) in
            [("DPoP", Some(&own)), ("Bearer", None), ("DPoP", Some(&forged)), ("DPoP", Some(&own))]
        {
            let proof = proof.map(String::as_str);
            statuses.push(caller.post_as(scheme, proof, INFER, &question).await?.status.to_string());
        }
        self.add(
            Step::new(
                "T  A thief finds a token of Ian's, and a whole request",
                "200 401 401 401",
                statuses.join(" "),
            )
            .show("Ian, who holds the key the token is bound to: 200".to_owned())
            .show("the thief, with the token alone: 401".to_owned())
            .show("the thief, with a proof by a key of theirs: 401".to_owned())
            .show("the thief, with Ian's own request sent again: 401".to_owned()),
        )
    }

    /// Whoever looks after devices says that Ian's tablet lost its encryption, and later that it is well again.
    async fn device(&mut self, ian: &Actor) -> Result<(), Failure> {
        let caller = self.caller(ian, &[Privilege::Inference]).await?;
        let mut events = open_stream(&caller).await?;
        let from = Instant::now();
        let devices = self.system.devices();
        let (told, cut) =
            tokio::join!(devices.tell(&self.desk, ian.name.as_str(), false), last_event(&mut events, from));
        let (last, after) = cut.unwrap_or_default();
        self.add(
            Step::new(
                "S  While Ian's stream runs, his tablet is reported as no longer encrypted",
                "202, cut",
                format!("{}, {}", told?, if last.contains("error") { "cut" } else { "not cut" }),
            )
            .show(format!(
                "the open stream ended {:.1} ms after the event was sent",
                after.as_secs_f64() * 1e3
            )),
        )?;
        let answer = caller.post(INFER, &self.question()).await?;
        self.denied("S  Ian asks for a prediction meanwhile", 403, &answer)?;
        let told = devices.tell(&self.desk, ian.name.as_str(), true).await?;
        let answer = caller.post(INFER, &self.question()).await?;
        self.add(Step::new(
            "S  The tablet is reported as well again; the same token predicts",
            "202, 200",
            format!("{told}, {}", answer.status),
        ))
    }

    async fn revocation(&mut self, cast: &Cast) -> Result<(), Failure> {
        let caller = self.caller(&cast.ian, &[Privilege::Inference]).await?;
        let mut events = open_stream(&caller).await?;
        let grants: modelward_server::wire::Page<modelward_server::wire::GrantView> =
            cast.ada.client.read("/api/v1/grants?whose=all&privilege=inference").await?;
        let grant = grants
            .items
            .first()
            .ok_or_else(|| Failure::new(Exit::Failure, "there is no inference grant"))?
            .id;
        let from = Instant::now();
        let revoke = RevokeRequest { reason: "demonstration".to_owned(), dry_run: false };
        let path = format!("/api/v1/grants/{grant}/revoke");
        let (revoked, cut): (Result<Revoked, ClientError>, _) =
            tokio::join!(cast.ada.client.post(&path, &revoke), last_event(&mut events, from));
        let revoked = revoked?;
        let (last, after) = cut.unwrap_or_default();
        let ended = if last.contains("error") { "cut" } else { "not cut" };
        self.add(
            Step::new("V  While Ian's stream runs, Ada revokes the clinicians' grant", "cut", ended)
                .show(format!("the open stream ended {:.1} ms after she asked", after.as_secs_f64() * 1e3))
                .show(format!("streams it ended: {}", revoked.effect.streams)),
        )?;
        let answer = caller.post(INFER, &self.question()).await?;
        self.denied("I  Ian tries again with the same token: to him the model is gone", 404, &answer)
    }

    async fn record(&mut self, ada: &Actor, decision: &str) -> Result<(), Failure> {
        let view = self.proven(ada, decision).await?;
        let proven = if view.ledger.proof.is_some() { "in the log, with a proof" } else { "not proven" };
        self.add(
            Step::new("A  Ada looks up Ian's prediction in the ledger", "in the log, with a proof", proven)
                .show(format!(
                    "entry {} of {}, leaf {}",
                    view.ledger.index,
                    view.ledger.tree_size.unwrap_or(0),
                    view.ledger.leaf_hash
                )),
        )?;
        let evidence = self.system.evidence()?;
        let whole = evidence.verify();
        self.add(
            Step::new(
                "A  Anybody verifies the whole log offline, with the public key alone",
                "intact",
                whole.verdict,
            )
            .show(format!("{} entries under root {}", whole.entries, whole.root)),
        )?;
        let changed = evidence.verify_with_one_byte_changed(self.system.scratch())?;
        self.add(Step::new(
            "A  One byte of a copy is changed; the verifier names the entry",
            "damaged at entry 0",
            changed.verdict,
        ))
    }

    /// The decision once a checkpoint covers it, which takes a second at most when all is well.
    async fn proven(&self, ada: &Actor, decision: &str) -> Result<DecisionView, Failure> {
        let path = format!("/api/v1/decisions/{decision}");
        for _ in 0..50 {
            let view: DecisionView = ada.client.read(&path).await?;
            if view.ledger.proof.is_some() {
                return Ok(view);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(ada.client.read(&path).await?)
    }

    async fn caller(&self, actor: &Actor, privileges: &[Privilege]) -> Result<Caller, Failure> {
        Ok(Caller::new(self.system.gateway(), actor.token(privileges).await?))
    }

    fn question(&self) -> serde_json::Value {
        let case = &self.system.case;
        json!({ "inputs": [{ "name": "measurements", "shape": [1, case.measurements.len()], "datatype": "FP64", "data": case.measurements }] })
    }

    fn denied(&mut self, title: &str, status: u16, answer: &Answer) -> Result<(), Failure> {
        self.add(Step::new(title, status.to_string(), answer.status.to_string()).show(answer.message()))
    }
}

/// A chat that runs for a while, once its first words have come.
async fn open_stream(caller: &Caller) -> Result<Events, Failure> {
    let chat = json!({
        "model": "ward-notes", "stream": true, "max_tokens": 512,
        "messages": [{ "role": "user", "content": "Notes of the morning round:" }],
    });
    let mut events = caller.stream(CHAT, &chat).await?;
    for _ in 0..3 {
        if events.next().await.is_none() {
            return Err(Failure::new(Exit::Failure, "the stream ended before it was cut"));
        }
    }
    Ok(events)
}

/// The last event of a stream that is about to be cut, and how long after this moment it ended.
async fn last_event(events: &mut Events, from: Instant) -> Option<(String, Duration)> {
    let bounded = tokio::time::timeout(Duration::from_secs(10), async {
        let mut last = String::new();
        while let Some(event) = events.next().await {
            last = event;
        }
        (last, from.elapsed())
    });
    bounded.await.ok()
}

enum Refused {
    Answer(ErrorCode, String),
    Failed(Failure),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Answer(_, message) => Self::new(Exit::Denied, message),
            Refused::Failed(failure) => failure,
        }
    }
}
