//! There is no token without a credential offered for it.

use modelward_identity::token::Issuer;

fn main() {
    let _ = Issuer::mint;
}
