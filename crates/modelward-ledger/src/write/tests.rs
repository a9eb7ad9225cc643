mod crash;
mod fixture;
mod index;
mod ledger;
mod queue;

pub(crate) use fixture::{Hand, decision, open, parts, small};
