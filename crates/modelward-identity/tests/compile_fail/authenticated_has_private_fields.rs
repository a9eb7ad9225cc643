//! A name is not a proof, and one person's proof is not another's.

use modelward_decision::vocabulary::PrincipalRef;
use modelward_identity::Authenticated;

fn changed(who: Authenticated, principal: PrincipalRef) -> Authenticated {
    Authenticated { principal, ..who }
}

fn main() {}
