//! Recorded decisions tried under a bundle, at the server that recorded them.

use modelward_policy::BundleFile;
use modelward_policy::replay::{Example, Group, Replay};
use modelward_server::wire::{FlipGroupView, ReplayReport, ReplayRequest, ReplayTextRequest};

use super::super::api::{Server, wait};
use super::super::{Context, progress};
use crate::client::escape;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Style, Table};

/// Try recorded decisions under a proposed bundle: what would have been decided otherwise, for whom
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ReplayArgs {
    /// The bundle, `sha256:…`
    bundle: String,
    /// How many of the newest decisions
    #[arg(long, default_value_t = ReplayRequest::LAST_MAX, value_name = "COUNT")]
    last: u64,
    /// How many days back
    #[arg(long, default_value_t = ReplayRequest::DAYS, value_name = "DAYS")]
    days: u32,
    #[command(flatten)]
    server: Server,
}

/// Whether and how many recorded decisions are tried in the gate.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(in crate::cli) struct Replayed {
    /// Try recorded decisions of the server under the bundle too: whose would be others, and how
    #[arg(long)]
    replay: bool,
    /// How many of the newest decisions
    #[arg(long, default_value_t = ReplayRequest::LAST_MAX, value_name = "COUNT", requires = "replay")]
    replay_last: u64,
    /// How many days back
    #[arg(long, default_value_t = ReplayRequest::DAYS, value_name = "DAYS", requires = "replay")]
    replay_days: u32,
}

/// Decisions asked for at once, so that the bar moves and no request takes long.
const PAGE: u64 = 5_000;

impl Replayed {
    pub(super) const fn wanted(&self) -> bool {
        self.replay
    }

    /// The bundle goes along with each page: the server keeps nothing of it.
    pub(super) fn run(
        &self,
        context: &Context,
        file: &BundleFile,
        server: &Server,
    ) -> Result<Replay, Failure> {
        let client = server.signed_in(context)?;
        let text = file
            .to_bytes()
            .map_err(|error| Failure::of(Exit::Failure, &error))
            .and_then(|bytes| String::from_utf8(bytes).map_err(|error| Failure::of(Exit::Failure, &error)))?;
        paged(context, self.replay_last, |last, before| {
            let days = Some(self.replay_days);
            let request = ReplayTextRequest { file: text.clone(), last: Some(last), days, before };
            wait(async { Ok(client.post("/api/v1/policy/replay", &request).await?) })
        })
    }
}

/// Tries up to `max` decisions page by page; `page` is told how many next, and where they begin.
fn paged(
    context: &Context,
    max: u64,
    page: impl Fn(u64, Option<u64>) -> Result<ReplayReport, Failure>,
) -> Result<Replay, Failure> {
    let bar = progress::steps(&context.terminal, "recorded decisions");
    bar.set_length(max);
    let mut found = Replay::default();
    let mut before = None;
    while found.replayed < max {
        let report = page(PAGE.min(max - found.replayed), before)?;
        before = report.next;
        found = found.joined(of(report));
        bar.set_position(found.replayed);
        if before.is_none() {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(found)
}

fn of(report: ReplayReport) -> Replay {
    let group = |group: FlipGroupView| Group {
        action: group.action,
        privilege: group.privilege.to_string(),
        direction: group.direction.unwrap_or_default(),
        policy: group.policy,
        count: group.count,
        examples: group
            .examples
            .into_iter()
            .map(|it| Example {
                decision: it.decision.to_string(),
                principal: it.principal,
                resource: it.resource,
            })
            .collect(),
    };
    Replay {
        replayed: report.replayed,
        flips: report.flips,
        groups: report.groups.into_iter().map(group).collect(),
    }
}

pub(super) fn replay(context: &Context, args: &ReplayArgs) -> Outcome {
    let client = args.server.signed_in(context)?;
    let path = format!("/api/v1/policy/bundles/{}/replay", escape(&args.bundle));
    let report = paged(context, args.last, |last, before| {
        let request = ReplayRequest { last: Some(last), days: Some(args.days), before };
        wait(async { Ok(client.post(&path, &request).await?) })
    })?;
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&report)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["decisions", "direction", "action", "policy", "such as"]);
    for group in &report.groups {
        let example = group.examples.first();
        let example = example.map(|it| format!("{} on {}, {}", it.principal, it.resource, it.decision));
        table.styled([
            (group.count.to_string(), None),
            (group.direction.clone(), Some(Style::Warn)),
            (group.action.clone(), None),
            (group.policy.clone().unwrap_or_default(), None),
            (example.unwrap_or_default(), Some(Style::Faint)),
        ]);
    }
    table.print(terminal)?;
    terminal.note(&format!("{} of {} decisions would be others", report.flips, report.replayed));
    Ok(Exit::Ok)
}
