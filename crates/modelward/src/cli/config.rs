//! `modelward config`

use std::path::PathBuf;

use serde::Serialize;

use super::Context;
use crate::config::{self, ConfigError, Environment, Loaded, Role};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Style, Table};

/// Look at the configuration
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check the configuration, and show every value in force and where it came from
    Check {
        /// Check it for this role instead of the one it names: `all`, `control` or `gateway`
        #[arg(long, value_name = "ROLE")]
        role: Option<Role>,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Describe every key
    Keys,
}

/// Which configuration to read.
#[derive(Debug, clap::Args)]
pub(super) struct ConfigFile {
    /// The configuration file
    #[arg(long, env = "MODELWARD_CONFIG", default_value = DEFAULT_FILE, value_name = "FILE")]
    config: PathBuf,
}

/// What sets the role beside the file.
const ROLE_VARIABLE: &str = "MODELWARD_ROLE";

/// Where `modelward init` puts the data directory unless told otherwise.
pub(super) const DEFAULT_DATA_DIR: &str = "modelward-data";

/// Where `modelward init` puts the configuration unless told otherwise.
const DEFAULT_FILE: &str = "modelward-data/modelward.toml";

/// The data directory of an installation nobody named.
pub(super) fn default_data_dir(environment: &Environment) -> PathBuf {
    environment.get("MODELWARD_DATA_DIR").map_or_else(|| DEFAULT_DATA_DIR.into(), PathBuf::from)
}

impl ConfigFile {
    /// # Errors
    /// The configuration cannot be read or used: exit code 2.
    pub(super) fn load_as(&self, context: &Context, role: Option<Role>) -> Result<Loaded, Failure> {
        let environment = match role {
            Some(role) => context.environment.with(ROLE_VARIABLE, role.as_str()),
            None => context.environment.clone(),
        };
        Loaded::read(&self.config, &environment).map_err(|error| {
            let failure = Failure::of(Exit::Usage, &error);
            match error {
                ConfigError::Read { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                    failure.hint("`modelward init` makes a data directory with a configuration in it")
                }
                ConfigError::Read { .. } | ConfigError::TooLarge { .. } | ConfigError::Invalid { .. } => {
                    failure
                }
            }
        })
    }
}

/// One value in force.
#[derive(Debug, Serialize)]
struct Shown {
    key: String,
    value: String,
    from: String,
}

pub(super) fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Check { role, config } => check(context, &config, role),
        Command::Keys => {
            context.terminal.line(config::reference().trim_end())?;
            Ok(Exit::Ok)
        }
    }
}

fn check(context: &Context, file: &ConfigFile, role: Option<Role>) -> Outcome {
    let loaded = file.load_as(context, role)?;
    let values: Vec<Shown> = loaded
        .effective
        .shown()
        .map(|(key, value, from)| Shown { key, value, from: from.to_string() })
        .collect();
    if context.terminal.json() {
        context.terminal.value(&values)?;
        return Ok(Exit::Ok);
    }
    let mut table = Table::new(["key", "value", "from"]);
    for Shown { key, value, from } in &values {
        let danger = key.contains("danger_") && value != "false";
        let style = if danger { Some(Style::Warn) } else { None };
        table.styled([(key, style), (value, style), (from, Some(Style::Faint))]);
    }
    table.print(&context.terminal)?;
    context.terminal.note(&format!("{} can be used", loaded.path.display()));
    Ok(Exit::Ok)
}
