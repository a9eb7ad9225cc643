//! The binary as a library: command line, configuration and wiring.
//!
//! Rule: it connects the rooms and holds no rule of its own. Deliberately absent: decisions, workflows, SQL, protocols.
//!
//! Start at [`cli`] for what a person types, at [`config`] for what an operator writes.

pub mod agent;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod credentials;
pub mod demo;
pub mod exit;
pub mod federation;
pub mod house;
pub mod keys;
mod listener;
pub mod metrics;
pub mod outbound;
pub mod outpost;
pub mod output;
pub mod planes;
pub mod private;
pub mod service;
mod stamp;
mod step_up;
pub mod telemetry;
pub mod tls;
pub mod upstreams;
