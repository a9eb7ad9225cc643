//! Where a request comes from, as far as the socket tells.
//!
//! No header says anything here: `Forwarded`, `X-Forwarded-For` and their kin are neither read nor passed on.

use std::net::IpAddr;

use jiff::Timestamp;
use modelward_decision::inventory::Endpoint;
use modelward_decision::vocabulary::{Confidence, DeviceFacts, Fact, Name, Source};
use modelward_enforcement::{Peer, Situation};

use crate::config::Segments;

/// The facts of tier 3. What nobody said is `unknown`, a value of its own, so that policy can take a stand on it.
pub(crate) fn situate(
    segments: &Segments,
    unknown: &Name,
    peer: IpAddr,
    endpoint: &Endpoint,
    now: Timestamp,
) -> Situation {
    let network = match segments.of(peer) {
        Some(segment) => Fact::new(segment.clone(), Source::Socket, now, Confidence::Proved),
        None => Fact::new(unknown.clone(), Source::Default, now, Confidence::None),
    };
    Situation {
        peer: Peer::of(peer),
        environment: endpoint.environment.clone(),
        endpoint: Some(endpoint.id),
        device: DeviceFacts::UNKNOWN,
        network,
        place: Fact::new(unknown.clone(), Source::Default, now, Confidence::None),
        risk: Fact::new(0, Source::Default, now, Confidence::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_belongs_to_its_narrowest_segment() {
        let name = |text| Name::new(text).unwrap();
        let segments = Segments::new([
            ("10.0.0.0/8".parse().unwrap(), name("corporate")),
            ("10.7.0.0/16".parse().unwrap(), name("lab")),
            ("fd00::/8".parse().unwrap(), name("corporate")),
        ]);
        for (address, segment) in [
            ("10.1.2.3", Some("corporate")),
            ("10.7.2.3", Some("lab")),
            ("::ffff:10.7.2.3", Some("lab")),
            ("fd12::1", Some("corporate")),
            ("192.0.2.1", None),
            ("::1", None),
        ] {
            let found = segments.of(address.parse().unwrap()).map(Name::as_str);
            assert_eq!(found, segment, "{address}");
        }
    }
}
