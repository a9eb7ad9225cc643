//! Other enforcement points: what they ask, what they are told, and what stands in the ledger of it.

mod authzen;
#[cfg(feature = "envoy-client")]
mod envoy;
mod forward;
mod nginx;
mod scope;
mod search;
mod wrong;

use std::sync::{Arc, Mutex};

use modelward_decision::Change;
use modelward_decision::inventory::Project;
use modelward_decision::vocabulary::{GranteeRef, MachineId, PersonId, PrincipalRef, Privilege, ScopeRef};
use modelward_enforcement::{Capabilities, ObligationKind};
use modelward_gateway::pdp::{AuthZen, Caller, CallerPrincipal, Point, PointsConfig, Reach};
use modelward_gateway::{GatewayConfig, Segments};
use modelward_identity::{Models, Rights};
use modelward_seal::Digest;
use modelward_testkit::World;
use serde_json::Value;

use crate::rig::{Answer, People, Rig, Setup, exchange, holder, named};

/// What proxies show.
const SECRET: &str = "a secret that is long enough for a proxy";
/// Of a proxy that leaves out what is not held.
const STRIPPING_SECRET: &str = "another secret, of the proxy that strips";

const ALL_DONE: Capabilities = Capabilities::NONE
    .with(ObligationKind::StripFields)
    .with(ObligationKind::Round)
    .with(ObligationKind::TopK)
    .with(ObligationKind::LabelOnly);

/// A rig with callers, and who they are.
struct Desk {
    rig: Rig,
    /// Reaches everything.
    pep: MachineId,
    /// Reaches the people of `staff`, on the project `elsewhere`.
    narrow: MachineId,
    /// In the group `staff`, which may predict on everything of `claims`.
    gus: PersonId,
}

fn caller(name: &str) -> Caller {
    Caller {
        name: named(name),
        principal: CallerPrincipal::Machine(named(name)),
        subjects: Reach::All,
        projects: Reach::All,
        obligations: ALL_DONE,
        asserts_network: false,
        asserts_device: false,
        endpoint: Some(named("oip")),
        secret: None,
    }
}

fn callers() -> Vec<Caller> {
    let only = |name: &str| Reach::Named([named(name)].into());
    let no_duties = Capabilities::NONE;
    vec![
        caller("pep"),
        Caller { subjects: only("staff"), projects: only("elsewhere"), ..caller("narrow") },
        Caller { secret: Some(Digest::of(SECRET.as_bytes())), obligations: no_duties, ..caller("edge") },
        Caller {
            secret: Some(Digest::of(STRIPPING_SECRET.as_bytes())),
            obligations: Capabilities::NONE.with(ObligationKind::StripFields),
            endpoint: None,
            ..caller("stripper")
        },
    ]
}

impl Desk {
    async fn open() -> Self {
        Self::with(true, |_| (), |_, _| ()).await
    }

    /// With drafts or without, other callers, and more in the world.
    async fn with(
        drafts: bool,
        change: impl FnOnce(&mut Vec<Caller>),
        more: impl FnOnce(&mut World, &People) + 'static,
    ) -> Self {
        let mut callers = callers();
        change(&mut callers);
        let made = Arc::new(Mutex::new(None));
        let told = Arc::clone(&made);
        let world = move |world: &mut World, people: &People| {
            let machines = ["pep", "narrow", "edge", "stripper"].map(|name| world.machine(name, people.rita));
            let [pep, narrow, ..] = machines;
            let staff = world.group("staff");
            let gus = world.person_in("gus", [staff]);
            let project = ScopeRef::Project(world.project());
            world.grant_to(Privilege::Inference, GranteeRef::Group(staff), project).give();
            let elsewhere = Project { id: world.id(), name: named("elsewhere") };
            world.change(Change::Project(Arc::new(elsewhere)));
            more(world, people);
            *told.lock().unwrap() = Some((pep, narrow, gus));
        };
        let authzen = AuthZen {
            url: "https://pdp.test".to_owned(),
            drafts,
            request_form: Some("https://control.test".to_owned()),
        };
        let rig = Rig::with(Setup {
            world: Box::new(world),
            points: Some(PointsConfig { callers, authzen }),
            config: GatewayConfig {
                segments: Segments::new([("10.0.0.0/8".parse().unwrap(), named("lab"))]),
                ..GatewayConfig::default()
            },
            ..Setup::default()
        })
        .await;
        let (pep, narrow, gus) = made.lock().unwrap().take().unwrap();
        Self { rig, pep, narrow, gus }
    }

    fn token(&self, machine: MachineId) -> String {
        let rights = Rights::new([Privilege::ReadOnly, Privilege::Inference], Models::Any);
        self.rig.token_as(PrincipalRef::Machine(machine), rights)
    }

    /// A request to the Authorization API by `pep`.
    async fn ask(&self, path: &str, body: &str) -> Answer {
        let asks = [Privilege::ReadOnly, Privilege::Inference, Privilege::InferenceSensitive];
        let pep = PrincipalRef::Machine(self.pep);
        let token = self.rig.token_bound(pep, Rights::new(asks, Models::Any), Some(holder()));
        let request = self.rig.proved(&holder(), "https://pdp.test", "POST", path, &token, body);
        exchange(self.rig.points[&Point::AuthZen], request.as_bytes()).await
    }

    async fn ask_as(&self, token: &str, path: &str, body: &str) -> Answer {
        exchange(self.rig.points[&Point::AuthZen], crate::rig::request("POST", path, token, body).as_bytes())
            .await
    }

    /// The decision on one question, without what differs every time.
    async fn decides(&self, body: &str) -> bool {
        let answer = self.ask("/access/v1/evaluation", body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        json(&answer)["decision"].as_bool().unwrap()
    }
}

fn json(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
    serde_json::from_str(&answer.body).unwrap()
}

/// A question in the words of the API.
fn question(subject: &str, action: &str, resource: &str) -> String {
    let (kind, id) = resource.split_once(':').unwrap();
    let (who, name) = subject.split_once(':').unwrap_or(("user", subject));
    format!(
        r#"{{"subject":{{"type":"{who}","id":"{name}"}},"action":{{"name":"{action}"}},"resource":{{"type":"{kind}","id":"{id}"}}}}"#
    )
}
