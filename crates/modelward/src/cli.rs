//! The command line: one file per command.

mod again;
mod agent;
mod api;
mod apply;
mod ask;
mod can;
mod completions;
mod config;
mod demo;
mod enrol;
mod exec;
mod explain;
mod factors;
mod gateway;
mod grant;
mod init;
mod invite;
mod issuer;
mod key;
mod ledger;
mod login;
mod logout;
mod matrix;
mod people;
mod policy;
mod progress;
mod reference;
mod revoke;
mod scim;
mod serve;
mod sessions;
mod signals;
mod time;
mod token;
mod view;
mod what_can;
mod who_can;
mod whoami;
mod within;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::config::Environment;
use crate::exit::{Exit, Outcome};
use crate::output::{Color, Terminal};

pub use reference::reference;

/// Zero-trust access control for machine-learning models, their weights and their data.
#[derive(Debug, Parser)]
#[command(name = "modelward", version, max_term_width = 100, disable_help_subcommand = true)]
struct Cli {
    /// Write JSON instead of text for people
    #[arg(long, global = true)]
    json: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN")]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Serve(serve::Args),
    Enrol(enrol::Args),
    Login(login::Args),
    Logout(logout::Args),
    Whoami(whoami::Args),
    Token(token::Args),
    Agent(agent::Args),
    Exec(exec::Args),
    Invite(invite::Args),
    #[command(subcommand)]
    People(people::Command),
    #[command(subcommand)]
    Issuer(issuer::Command),
    #[command(subcommand)]
    Signals(signals::Command),
    #[command(subcommand)]
    Scim(scim::Command),
    #[command(subcommand)]
    Sessions(sessions::Command),
    #[command(subcommand)]
    Factors(factors::Command),
    Apply(apply::Args),
    Grant(Box<grant::Args>),
    Revoke(revoke::Args),
    Can(Box<can::Args>),
    WhoCan(who_can::Args),
    WhatCan(what_can::Args),
    Explain(explain::Args),
    Matrix(matrix::Args),
    #[command(subcommand)]
    Key(key::Command),
    #[command(subcommand)]
    Gateway(gateway::Command),
    #[command(subcommand)]
    Policy(policy::Command),
    #[command(subcommand)]
    Ledger(ledger::Command),
    #[command(subcommand)]
    Config(config::Command),
    Demo(demo::Args),
    #[command(hide = true)]
    DemoUpstream,
    Completions(completions::Args),
}

/// What every command is given.
#[derive(Debug)]
struct Context {
    terminal: Terminal,
    environment: Environment,
}

/// Runs the command of this process.
pub fn main() -> ExitCode {
    let environment = Environment::of_process();
    let cli = match command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are data and no error; clap knows which stream.
            let _unread = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() };
        }
    };
    let terminal = Terminal::new(cli.json, cli.color, &environment);
    let context = Context { terminal, environment };
    match run(&context, cli.command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            context.terminal.failure(&failure);
            failure.exit.into()
        }
    }
}

fn run(context: &Context, command: Command) -> Outcome {
    match command {
        Command::Init(args) => init::run(context, args),
        Command::Serve(args) => serve::run(context, &args),
        Command::Enrol(args) => enrol::run(context, &args),
        Command::Login(args) => login::run(context, &args),
        Command::Logout(args) => logout::run(context, &args),
        Command::Whoami(args) => whoami::run(context, &args),
        Command::Token(args) => token::run(context, &args),
        Command::Agent(args) => agent::run(context, &args),
        Command::Exec(args) => exec::run(context, &args),
        Command::Invite(args) => invite::run(context, args),
        Command::People(command) => people::run(context, command),
        Command::Issuer(command) => issuer::run(context, command),
        Command::Signals(command) => signals::run(context, command),
        Command::Scim(command) => scim::run(context, command),
        Command::Sessions(command) => sessions::run(context, command),
        Command::Factors(command) => factors::run(context, command),
        Command::Apply(args) => apply::run(context, &args),
        Command::Grant(args) => grant::run(context, *args),
        Command::Revoke(args) => revoke::run(context, args),
        Command::Can(args) => can::run(context, *args),
        Command::WhoCan(args) => who_can::run(context, args),
        Command::WhatCan(args) => what_can::run(context, args),
        Command::Explain(args) => explain::run(context, &args),
        Command::Matrix(args) => matrix::run(context, args),
        Command::Key(command) => key::run(context, command),
        Command::Gateway(command) => gateway::run(context, command),
        Command::Policy(command) => policy::run(context, command),
        Command::Ledger(command) => ledger::run(context, command),
        Command::Config(command) => config::run(context, command),
        Command::Demo(args) => demo::run(context, &args),
        Command::DemoUpstream => demo::upstream(),
        Command::Completions(args) => completions::run(&args),
    }
}

/// The command line as clap knows it.
fn command() -> clap::Command {
    let codes: Vec<String> =
        Exit::ALL.iter().map(|exit| format!("  {}  {}", exit.code(), exit.meaning())).collect();
    Cli::command().after_help(format!("Exit codes:\n{}", codes.join("\n")))
}
