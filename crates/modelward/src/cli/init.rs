//! `modelward init`

use std::fs;
use std::path::PathBuf;

use modelward_decision::vocabulary::Name;
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
    name: Name,
    /// How people call them; the name when absent
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Where to make it
    #[arg(long, env = "MODELWARD_DATA_DIR", default_value = DEFAULT_DATA_DIR, value_name = "DIR")]
    data_dir: PathBuf,
    /// Name of the ledger for ever, such as `audit.example.org/modelward`; a random one when absent
    #[arg(long, value_name = "ORIGIN")]
    ledger_origin: Option<String>,
}

pub(super) fn run(context: &Context, args: Args) -> Outcome {
    let file = args.data_dir.join(CONFIG_FILE);
    private::make_folder(&args.data_dir)
        .and_then(|()| private::check_folder(&args.data_dir))
        .map_err(|error| refused(&HouseError::Private(error)))?;
    if !file.exists() {
        // Before anything is written: a folder with something in it stays as it is.
        let mut entries = fs::read_dir(&args.data_dir)?;
        if entries.next().is_some() {
            return Err(refused(&HouseError::NotEmpty { path: args.data_dir }));
        }
        let origin = args.ledger_origin.clone().unwrap_or_else(random_origin);
        private::write(&file, template(&origin).as_bytes())
            .map_err(|error| Failure::of(Exit::Failure, &error))?;
    } else if args.ledger_origin.is_some() {
        return Err(Failure::new(Exit::Usage, format!("`{}` is there already", file.display()))
            .hint("set `ledger.origin` in it instead of `--ledger-origin`"));
    }
    let loaded =
        Loaded::read(&file, &context.environment).map_err(|error| Failure::of(Exit::Usage, &error))?;
    let config = loaded.config;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let display_name = args.display_name.unwrap_or_else(|| args.name.to_string());
    let made = runtime.block_on(service::initialise(&config, args.name, display_name));
    let invited = made.map_err(|error| match error {
        ServiceError::House(error) => refused(&error),
        other => Failure::of(Exit::Failure, &other),
    })?;
    let terminal = &context.terminal;
    if terminal.json() {
        terminal.value(&serde_json::json!({
            "data_dir": args.data_dir,
            "config": file,
            "enrolment_code": invited.code,
            "expires_at": invited.expires_at,
        }))?;
        return Ok(Exit::Ok);
    }
    terminal.note(&format!("made {}", args.data_dir.display()));
    terminal
        .note(&format!("code for the first person, good once, until {}:", time::shown(invited.expires_at)));
    terminal.line(invited.code.expose())?;
    terminal.hint(&format!("start with `modelward serve --config {}`", file.display()));
    terminal.hint("then type the code into `modelward enrol`, or into the console");
    Ok(Exit::Ok)
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
