//! Access tokens of a test system: one issuer, and a verifier for each plane.

use modelward_decision::vocabulary::Privilege;
use modelward_identity::Authenticated;
use modelward_identity::token::{Ask, Issuer, KeySet, MintedToken, Profile, SigningKey, Standing, Verifier};
use modelward_identity::{Models, Rights};
use modelward_seal::source::Clock;

use crate::system::{Failure, System};
use crate::world::name;

/// What mints and what checks the tokens of a test.
#[derive(Debug)]
pub struct Tokens {
    pub issuer: Issuer,
    pub access: Verifier,
    pub control: Verifier,
}

impl Tokens {
    pub const ISSUER: &str = "https://modelward.test";
    pub const ACCESS: &str = "https://gateway.modelward.test";
    pub const CONTROL: &str = "https://control.modelward.test";

    pub fn new(system: &System) -> Result<Self, Failure> {
        let access = SigningKey::generate(Profile::Access, &*system.ids)?;
        let control = SigningKey::generate(Profile::Control, &*system.ids)?;
        let keys = [&access, &control].map(|key| (key.public().clone(), Standing::Active));
        let verifier = |profile, aud| -> Result<Verifier, Failure> {
            Ok(Verifier::new(profile, Self::ISSUER, aud, KeySet::new(keys.clone())?))
        };
        Ok(Self {
            access: verifier(Profile::Access, Self::ACCESS)?,
            control: verifier(Profile::Control, Self::CONTROL)?,
            issuer: Issuer::new(Self::ISSUER, Self::ACCESS, access, Self::CONTROL, control)?,
        })
    }

    /// A token for these privileges on any model, as far as `who` can pass them on.
    pub fn mint(
        &self,
        system: &System,
        who: &Authenticated,
        profile: Profile,
        privileges: &[Privilege],
    ) -> Result<MintedToken, Failure> {
        let ask = Ask {
            profile,
            rights: Rights::new(privileges.iter().copied(), Models::Any),
            client: name("test"),
            ttl: None,
            binding: None,
        };
        let snapshot = system.publisher.latest();
        Ok(self.issuer.exchange(who, &ask, &Rights::full(), &*snapshot, &*system.ids, system.clock.now())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_of_one_plane_is_known_there_and_not_on_the_other() -> Result<(), Failure> {
        let (system, ana) = System::start(|world| world.person("ana"))?;
        let tokens = Tokens::new(&system)?;
        let who = system.sign_in(ana)?;
        let token = tokens.mint(&system, &who, Profile::Access, &[Privilege::Inference])?;
        let (text, snapshot, now) =
            (token.text.expose().as_bytes(), system.publisher.latest(), system.clock.now());
        assert_eq!(tokens.access.verify(text, &*snapshot, now)?.principal(), who.principal());
        assert!(tokens.control.verify(text, &*snapshot, now).is_err());
        Ok(())
    }
}
