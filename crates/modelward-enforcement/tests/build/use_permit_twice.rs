//! One permit forwards once, and one record gives one permit.

use modelward_enforcement::{Durable, Held, Permit};

struct Bytes;

fn twice(permit: Permit<Bytes>) {
    let _first = permit.open();
    let _second = permit.open();
}

fn copied(permit: &Permit<Bytes>) -> Permit<Bytes> {
    permit.clone()
}

fn two_permits(durable: Durable<Held<Bytes>>) {
    let _first = durable.permit();
    let _second = durable.permit();
}

fn again_from_what_is_left(durable: Durable) {
    let _permit = durable.permit();
}

fn main() {}
