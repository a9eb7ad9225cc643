//! A model server for demonstrations, with nothing pretended in it.
//!
//! Two real models, trained when it starts: a logistic regression on the Breast Cancer Wisconsin (Diagnostic)
//! measurements, served over the Open Inference Protocol v2 (REST), and an interpolated n-gram language model of
//! a short text about reading those measurements, served over an OpenAI-compatible API.
//!
//! Rule: it stands for any upstream that guards itself with one static credential and knows nothing about who is
//! behind a request. Deliberately absent: users, rights, state that outlives the process, TLS. Whoever holds the
//! credential may ask for everything, log probabilities and raw margins included, and may unload a model.
//!
//! Start at [`run`] for a child process, at [`Server::bind`] for a server in this process.

mod classifier;
pub mod dataset;
mod language;
mod open_inference;
mod openai;
mod random;
mod server;

pub use classifier::{Classifier, Report, Scored, TrainError};
pub use server::{Credential, Options, RunError, Server, StartupReport, run};
