//! An answer leaves on its durable record: not on none, not on one that is still being written, not by itself.

use modelward_enforcement::{Answer, Disclosure, Durable, Held, Recording};

struct Bytes;

fn with_nothing(answer: Answer<Bytes>) -> Disclosure<Bytes> {
    answer.disclose().unwrap()
}

fn too_early(answer: Answer<Bytes>, recording: &Recording) -> Disclosure<Bytes> {
    answer.disclose(recording).unwrap()
}

fn before_the_permit(answer: Answer<Bytes>, durable: &Durable<Held<Bytes>>) -> Disclosure<Bytes> {
    answer.disclose(durable).unwrap()
}

fn reach_in(answer: Answer<Bytes>) -> Bytes {
    answer.answer
}

fn main() {}
