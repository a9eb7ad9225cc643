//! Everything over real HTTP, against a server in this process or a child process.
#![cfg(test)]

mod child;
mod client;
mod models;
mod open_inference;
mod openai;
