//! Proofs come out of the chain and from nowhere else.

use modelward_enforcement::{Denial, Disclosure, Durable, Held, Permit};

struct Bytes;

fn a_permit(held: Held<Bytes>) -> Permit<Bytes> {
    Permit(held)
}

fn a_held_operation() -> Held<Bytes> {
    Held { payload: Bytes }
}

fn a_disclosure() -> Disclosure<Bytes> {
    Disclosure { answer: Bytes }
}

fn a_record() -> Durable {
    Durable { index: 7, held: () }
}

fn a_denial_as_an_allow(denial: Denial) -> Permit<Bytes> {
    denial.into()
}

fn main() {}
