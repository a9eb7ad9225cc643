//! The functions that make one belong to identity.

use modelward_identity::Authenticated;

fn main() {
    let _ = Authenticated::of_session;
    let _ = Authenticated::of_token;
}
