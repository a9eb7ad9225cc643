mod fixture;
mod ledger;

pub(super) use fixture::{decision, open, small};
