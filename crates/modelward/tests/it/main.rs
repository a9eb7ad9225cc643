//! Wiring only: rules are tested in the rooms that own them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod api_commands;
mod command_line;
mod data_directory;
mod demo;
mod proof;
mod reference;
mod serving;
mod stage;
