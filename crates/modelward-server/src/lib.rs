//! The control plane over HTTP: the JSON API under `/api/v1`, the console, and the ledger's tiles.
//!
//! Rule: every handler authenticates, names exactly one action, and acts only with the permit for it. Shapes on the
//! wire are owned here and converted by hand, so that a rule can change while the wire does not. Deliberately absent:
//! the gateway, SQL, and any way to change state but through the control plane's commit path.
//!
//! Start at [`routes`] for what there is and [`wire`] for what goes over the network.

pub mod api;
pub mod authority;
pub mod console;
pub mod control;
pub mod gateways;
pub mod keeper;
pub mod outbound;
pub mod problem;
pub mod routes;
pub mod settings;
pub mod wire;

mod app;
mod caller;
mod composed;
mod export;
mod federation;
mod figures;
mod http;
mod judged;
mod marks;
mod names;
mod ops;
mod policies;
mod question;
mod revocation;
mod scim;
mod secrets;
mod turn;
mod words;

pub use app::{Extra, router};
pub use authority::{Authority, AuthorityError};
pub use control::{ControlPlane, Parts, StartError};
pub use federation::{ClientSecret, Federation};
pub use keeper::{Keeper, KeeperError};
pub use ops::replay::Wanted;
pub use problem::Problem;
pub use secrets::TotpKey;
pub use settings::Settings;
