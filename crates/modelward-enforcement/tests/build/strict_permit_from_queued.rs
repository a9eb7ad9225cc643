//! What must be durable before it begins has no permit while it is only queued.

use modelward_enforcement::{Permit, Queued, R0, Recording};

struct Bytes;

fn too_early(queued: Queued<Bytes, R0>) -> (Permit<Bytes>, Recording) {
    queued.permit().unwrap()
}

fn main() {}
