//! A decision that was not recorded permits nothing.

use modelward_enforcement::{Decided, Permit};

struct Bytes;

fn shortcut(decided: Decided<Bytes>) -> Permit<Bytes> {
    decided.permit()
}

fn reach_in(decided: Decided<Bytes>) -> Bytes {
    decided.payload
}

fn main() {}
