//! An operation is no permit, and its payload cannot be reached.

use modelward_enforcement::{Operation, Permit};

struct Bytes;

fn forward(_permit: Permit<Bytes>) {}

fn skip(operation: Operation<Bytes>) {
    forward(operation);
}

fn reach_in(operation: Operation<Bytes>) -> Bytes {
    operation.payload
}

fn main() {}
