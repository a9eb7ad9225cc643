//! Whom the agent answers: programs that were told its secret, and no page in a browser.

use std::fmt;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderValue, ORIGIN};
use modelward_seal::Digest;
use modelward_seal::source::Ids;
use zeroize::Zeroizing;

use super::Problem;

/// How the agent tells its programs from others.
#[derive(Debug)]
pub enum Door {
    /// Everybody on the machine reaches the port, so a secret is asked for, and the name it was reached by.
    Secret { digest: Digest, address: SocketAddr },
    /// Only its user can open the socket.
    Socket,
}

/// The secret of one run, which programs send as their API key.
#[derive(Clone)]
pub struct RunSecret(Zeroizing<String>);

const PREFIX: &str = "mwa_";

impl RunSecret {
    pub fn random(ids: &dyn Ids) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        ids.fill(bytes.as_mut_slice());
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 43));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        Self(text)
    }

    /// For the program it is for: never into a log or an error.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for RunSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunSecret(…)")
    }
}

impl Door {
    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<(), Problem> {
        // Programs do not send these; a page of any site that a browser here shows does.
        if headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site") {
            return Err(Problem::new(StatusCode::FORBIDDEN, "pages in browsers are not answered"));
        }
        let Self::Secret { digest, address } = self else { return Ok(()) };
        // A name of somebody else's that leads here (DNS rebinding) is no name of ours.
        let ours = [format!("127.0.0.1:{}", address.port()), format!("localhost:{}", address.port())];
        let mut hosts = headers.get_all(HOST).iter().filter_map(|host| host.to_str().ok());
        let is_ours =
            hosts.next().is_some_and(|host| ours.iter().any(|name| name.eq_ignore_ascii_case(host)));
        if !is_ours || hosts.next().is_some() {
            return Err(Problem::new(StatusCode::FORBIDDEN, "this is not the name the agent listens by"));
        }
        // Digests are compared, so that time tells nothing of the secret.
        if presented(headers).is_some_and(|secret| Digest::of(secret) == *digest) {
            return Ok(());
        }
        let message =
            "send the secret of this run as the API key; `modelward agent` and `modelward exec` tell it";
        Err(Problem::new(StatusCode::UNAUTHORIZED, message))
    }
}

/// What a program shows: its API key, wherever its protocol puts it.
fn presented(headers: &HeaderMap) -> Option<&[u8]> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    let key = || headers.get("api-key").or_else(|| headers.get("x-api-key")).map(HeaderValue::as_bytes);
    bearer.or_else(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(door: &Door, headers: &[(&'static str, &str)]) -> Result<(), u16> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        door.admit(&map).map_err(|problem| problem.status.as_u16())
    }

    #[test]
    fn only_who_knows_the_secret_and_the_name_is_answered() {
        let secret = "mwa_secret";
        let address = "127.0.0.1:4711".parse().unwrap();
        let door = Door::Secret { digest: Digest::of(secret.as_bytes()), address };
        let bearer = format!("Bearer {secret}");
        let good = [("host", "127.0.0.1:4711"), ("authorization", bearer.as_str())];
        assert_eq!(admits(&door, &good), Ok(()));
        assert_eq!(admits(&door, &[("host", "LOCALHOST:4711"), ("x-api-key", secret)]), Ok(()));
        assert_eq!(admits(&door, &[("host", "127.0.0.1:4711"), ("api-key", secret)]), Ok(()));
        for (status, headers) in [
            (401, vec![("host", "127.0.0.1:4711")]),
            (401, vec![("host", "127.0.0.1:4711"), ("authorization", "Bearer mwa_secreT")]),
            (401, vec![("host", "127.0.0.1:4711"), ("authorization", "Bearer ")]),
            (401, vec![("host", "127.0.0.1:4711"), ("authorization", "Basic bXdhX3NlY3JldA==")]),
            (403, vec![("authorization", bearer.as_str())]),
            (403, vec![("host", "attacker.example"), ("authorization", bearer.as_str())]),
            (403, vec![("host", "attacker.example:4711"), ("authorization", bearer.as_str())]),
            (403, vec![("host", "127.0.0.1:80"), ("authorization", bearer.as_str())]),
            (403, [&good[..], &[("host", "attacker.example")]].concat()),
            (403, [&good[..], &[("origin", "https://attacker.example")]].concat()),
            (403, [&good[..], &[("origin", "null")]].concat()),
            (403, [&good[..], &[("sec-fetch-site", "cross-site")]].concat()),
        ] {
            assert_eq!(admits(&door, &headers), Err(status), "{headers:?}");
        }
    }

    #[test]
    fn whoever_can_open_the_socket_is_answered_unless_it_is_a_page() {
        assert_eq!(admits(&Door::Socket, &[("host", "anything")]), Ok(()));
        assert_eq!(admits(&Door::Socket, &[("origin", "https://attacker.example")]), Err(403));
    }
}
