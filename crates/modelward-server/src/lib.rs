//! The control plane over HTTP: the JSON API under `/api/v1`, the console, and the ledger's tiles.
//!
//! Rule: every handler authenticates, names exactly one action, and acts only with the permit for it. Shapes on the
//! wire are owned here and converted by hand, so that a rule can change while the wire does not. Deliberately absent:
//! the gateway, SQL, and any way to change state but through the control plane's commit path.
//!
//! Start at [`routes`] for what there is and [`wire`] for what goes over the network.

pub mod console;
pub mod routes;
pub mod wire;
