//! Wiring only: rules are tested in the rooms that own them.

#![cfg(test)]

mod activation;
mod agent;
mod api_commands;
mod command_line;
mod data_directory;
mod demo;
mod disk;
mod installation;
mod kill;
mod planes;
mod policy;
mod proof;
mod proxy;
mod reference;
mod serving;
mod stage;
mod ward;
