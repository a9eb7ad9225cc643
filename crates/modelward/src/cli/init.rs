//! `modelward init`

use std::fs;
use std::path::{Path, PathBuf};

use modelward_decision::vocabulary::Name;
use modelward_policy::Parts;
use modelward_seal::source::Ids as _;

use super::config::DEFAULT_DATA_DIR;
use super::serve::with_hint;
use super::{Context, time};
use crate::clock::SystemIds;
use crate::config::Loaded;
use crate::exit::{Exit, Failure, Outcome};
use crate::house::{CONFIG_FILE, HouseError};
use crate::private;
use crate::service::{self, ServiceError};

/// Make a data directory, its keys, database and ledger, and the code to enrol the first person with
///
/// Works once. A `modelward.toml` that lies in the folder already is used; otherwise one is written.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What the first person signs in with
    #[arg(required_unless_present = "again")]
    name: Option<Name>,
    /// How people call them; the name when absent
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Where to make it
    #[arg(long, env = "MODELWARD_DATA_DIR", default_value = DEFAULT_DATA_DIR, value_name = "DIR")]
    data_dir: PathBuf,
    /// Make another code for the first person, whose first one ran out; the service must not be running
    #[arg(long, conflicts_with_all = ["name", "display_name", "ledger_origin"])]
    again: bool,
    /// Who may sign the next policy bundle: a `reviewers.toml`; fixed from then on until a bundle they signed changes it
    #[arg(long, conflicts_with = "again", value_name = "FILE")]
    reviewers: Option<PathBuf>,
    /// Name of the ledger for ever, such as `audit.example.org/modelward`; a random one when absent
    #[arg(long, value_name = "ORIGIN")]
    ledger_origin: Option<String>,
}

pub(super) fn run(context: &Context, args: Args) -> Outcome {
    let file = args.data_dir.join(CONFIG_FILE);
    let reviewers = args.reviewers.as_deref().map(reviewers).transpose()?;
    if !args.again {
        prepare(&args, &file)?;
    }
    let loaded =
        Loaded::read(&file, &context.environment).map_err(|error| Failure::of(Exit::Usage, &error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let invited = runtime.block_on(async {
        match args.name {
            Some(name) => {
                let display_name = args.display_name.unwrap_or_else(|| name.to_string());
                service::initialise(&loaded.config, name, display_name, reviewers).await
            }
            None => service::initialise_again(&loaded.config).await,
        }
    });
    let invited = invited.map_err(|error| match error {
        ServiceError::House(error) => refused(&error),
        other => Failure::of(Exit::Failure, &other),
    })?;
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&serde_json::json!({
            "data_dir": args.data_dir,
            "config": file,
            "name": invited.name,
            "enrolment_code": invited.code,
            "expires_at": invited.expires_at,
        }))?;
        return Ok(Exit::Ok);
    }
    if !args.again {
        terminal.note(&format!("made {}", args.data_dir.display()));
    }
    terminal.note(&format!(
        "code for {}, the first person, good once, until {}:",
        invited.name,
        time::shown(invited.expires_at)
    ));
    terminal.line(invited.code.expose())?;
    terminal.hint(&format!("start with `modelward serve --config {}`", file.display()));
    terminal.hint("then type the code into `modelward enrol`, or into the console");
    Ok(Exit::Ok)
}

/// The text of a list of reviewers that can change every part of a bundle.
fn reviewers(path: &Path) -> Result<String, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::new(Exit::Usage, format!("`{}` cannot be read: {error}", path.display()))
    })?;
    let sources = [("reviewers.toml".to_owned(), text.clone())].into();
    let parts = Parts::read(&sources).map_err(|findings| {
        let told: Vec<String> = findings.iter().map(|finding| finding.render(&sources)).collect();
        Failure::new(Exit::Usage, told.join("\n"))
    })?;
    if parts.reviewers.can_change_guardrails() {
        return Ok(text);
    }
    Err(Failure::new(Exit::Usage, format!("`{}` lists too few reviewers", path.display()))
        .hint("it takes two who can sign what a third wrote, one of them in the group `security`"))
}

/// Makes the folder, and the configuration if there is none. A folder with anything else in it stays as it is.
fn prepare(args: &Args, file: &Path) -> Result<(), Failure> {
    private::make_folder(&args.data_dir)
        .and_then(|()| private::check_folder(&args.data_dir))
        .map_err(|error| refused(&HouseError::Private(error)))?;
    if file.exists() {
        if args.ledger_origin.is_none() {
            return Ok(());
        }
        return Err(Failure::new(Exit::Usage, format!("`{}` is there already", file.display()))
            .hint("set `ledger.origin` in it instead of `--ledger-origin`"));
    }
    if fs::read_dir(&args.data_dir)?.next().is_some() {
        return Err(refused(&HouseError::NotEmpty { path: args.data_dir.clone() }));
    }
    let origin = args.ledger_origin.clone().unwrap_or_else(random_origin);
    private::write(file, template(&origin).as_bytes()).map_err(|error| Failure::of(Exit::Failure, &error))
}

fn refused(error: &HouseError) -> Failure {
    with_hint(Failure::of(Exit::Failure, error), error)
}

/// Logs of different installations must not have one name.
fn random_origin() -> String {
    let mut random = [0; 6];
    SystemIds.fill(&mut random);
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("localhost/modelward-{digits}")
}

fn template(origin: &str) -> String {
    format!(
        "# Configuration of Modelward. `modelward config keys` describes every key, `modelward config check` checks this
# file. Nothing has to be changed to try it on one machine.

# [control]
# listen = \"127.0.0.1:7080\"

# [gateway]
# listen = \"127.0.0.1:7070\"

# [upstreams.scoring]
# urls = [\"http://127.0.0.1:8000\"]
# health_path = \"/v2/health/ready\"
# credential_file = \"scoring.token\"

# [networks]
# \"10.0.0.0/8\" = \"office\"

[ledger]
# The ledger's name for ever.
origin = \"{origin}\"
"
    )
}
