//! Nobody brings a session secret of their own.

use modelward_identity::session::SessionToken;

fn main() {
    let _ = SessionToken::random;
    let _ = SessionToken([0; 32].into());
}
