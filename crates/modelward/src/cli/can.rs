//! `modelward can`

use modelward_decision::vocabulary::{Field, Name};
use modelward_server::wire::{CanAnswer, CanRequest};

use super::api::{Server, wait};
use super::time::Moment;
use super::{Context, time, view};
use crate::exit::{Exit, Outcome};

/// Ask whether something would be allowed, and if not, why and what would change it
///
/// Exit code 0 means yes, 3 means no. Nothing is done but recording the question.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// `me`, `dana` or `machine:scorer`
    principal: String,
    /// An action, such as `downloadWeights` or `"download weights"`
    action: String,
    /// `fraud`, `fraud/3`, `fraud@champion`, `endpoint:scoring`, `dataset:claims`, `project:risk` or `platform`
    resource: String,
    /// The environment
    #[arg(long, visible_alias = "env", value_name = "NAME")]
    environment: Option<Name>,
    /// The network segment the request would come from
    #[arg(long, visible_alias = "from", value_name = "NAME")]
    network: Option<Name>,
    /// A sensitive field that would be asked for; can be given several times
    #[arg(long = "field", value_name = "NAME")]
    fields: Vec<Field>,
    /// The purpose that would be stated
    #[arg(long, value_name = "NAME")]
    purpose: Option<Name>,
    /// Another moment than now
    #[arg(long, value_name = "MOMENT")]
    at: Option<Moment>,
    /// What the sign-in would be worth: 1 one factor, 2 two factors, 3 phishing-resistant
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..=3))]
    strength: Option<u8>,
    /// As from a managed, compliant device
    #[arg(long, value_enum, value_name = "DEVICE")]
    device: Option<Device>,
    /// As with a credential that is bound to its holder
    #[arg(long)]
    bound: bool,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Device {
    /// Managed and compliant
    Managed,
    /// Nothing is known of it
    Unknown,
}

pub(super) fn run(context: &Context, args: Args) -> Outcome {
    let client = args.server.signed_in(context)?;
    let request = CanRequest {
        principal: if args.principal == "me" { None } else { Some(args.principal) },
        action: args.action,
        resource: args.resource,
        environment: args.environment,
        network: args.network,
        fields: args.fields,
        purpose: args.purpose,
        at: args.at.map(|at| at.0),
        strength: args.strength,
        managed_device: args.device == Some(Device::Managed),
        bound: args.bound,
    };
    let answer: CanAnswer = wait(async { Ok(client.post("/api/v1/can", &request).await?) })?;
    let exit = if answer.allowed { Exit::Ok } else { Exit::Denied };
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&answer)?;
        return Ok(exit);
    }
    let (word, style) = view::verdict(answer.allowed);
    terminal.line(&format!("{}  {}", terminal.paint(style, word), crate::output::clean(&answer.sentence)))?;
    let question = &answer.question;
    view::fact(
        terminal,
        "question",
        &format!(
            "may {} {} ({}, {}) on {} in {} at {}",
            view::principal(&question.principal),
            question.phrase,
            question.action,
            question.privilege,
            question.resource.name,
            question.environment,
            time::shown(question.at)
        ),
    )?;
    view::fact(terminal, "outcome", &answer.outcome)?;
    view::fact(terminal, "bundle", &answer.bundle)?;
    if let Some(grant) = answer.grant {
        view::fact(terminal, "grant", &grant.to_string())?;
    }
    view::policies(terminal, &answer.determining)?;
    view::obligations(terminal, &answer.obligations)?;
    view::remedies(terminal, &answer.remedies)?;
    view::smallest(terminal, answer.smallest.as_ref())?;
    if let Some(trace) = &answer.trace {
        view::trace(terminal, trace)?;
    }
    Ok(exit)
}
