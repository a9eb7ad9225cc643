//! The data plane: recognises protocols, forwards with a permit, discloses after the record.
//!
//! Rule: default deny. Every route of a protocol is a row in a table ([`routes`]), every key of a request and every field
//! of an answer stands in a list, and what no list names is refused or dropped. A request to an upstream is built from
//! what was recognised, never copied; an answer is written anew from what may leave.
//!
//! Deliberately absent: SQL, workflow, policy editing, and any way to forward without a permit or to answer without a
//! disclosure: both are made by `modelward-enforcement` alone.
//!
//! Other enforcement points are answered beside it ([`pdp`]): from the same snapshot, into the same ledger.
//!
//! Start at [`Gateway::serve`], then the phases of a request in `phases.rs`; [`routes::markdown`] renders the tables.

mod answer;
pub mod config;
mod disclose;
mod forward;
mod gateway;
mod identify;
mod json;
mod local;
mod observe;
pub mod pdp;
mod phases;
mod recognise;
mod refusal;
pub mod routes;
mod situate;
mod strict;
mod tls;
pub mod upstream;

pub use config::{Bounds, GatewayConfig, Limits, Segments};
pub use gateway::{Gateway, Parts};
pub use observe::{Observation, Observer, Unobserved};
pub use refusal::{DECISION_HEADER, Reason};
pub use tls::{Tls, TlsError};
pub use upstream::{UpstreamConfig, UpstreamError, Upstreams};
