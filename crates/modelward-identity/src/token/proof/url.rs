//! Whether two addresses are one: syntax- and scheme-based normalization (RFC 3986 sections 6.2.2 and 6.2.3), as RFC 9449
//! section 4.3 asks for.

/// `stated` is what a proof says, `ours` what we are called. A query or a fragment in `stated` is no address we know.
pub(super) fn is_same(stated: &str, ours: &str) -> bool {
    matches!((normal(stated), normal(ours)), (Some(stated), Some(ours)) if stated == ours)
}

/// Longer than any address of ours.
const MAX: usize = 4096;

/// `None` for what is no absolute `http` or `https` address without user, query and fragment.
fn normal(url: &str) -> Option<String> {
    if url.len() > MAX || !url.bytes().all(|byte| byte.is_ascii_graphic()) || url.contains(['?', '#', '\\']) {
        return None;
    }
    let (scheme, rest) = url.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at_checked(slash)?,
        None => (rest, "/"),
    };
    let authority = authority.to_ascii_lowercase();
    let authority =
        authority.strip_suffix(default_port).or(authority.strip_suffix(':')).unwrap_or(&authority);
    if authority.is_empty() || authority.contains('@') {
        return None;
    }
    Some(format!("{scheme}://{authority}{}", unescaped(path)?))
}

/// Escapes of unreserved characters are undone, all others are written in capitals. Dots stay as they are: no server of
/// ours takes a path with segments of dots.
fn unescaped(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(char::from(byte));
            continue;
        }
        let [high, low] = [bytes.next()?, bytes.next()?].map(|digit| char::from(digit).to_digit(16));
        let value = u8::try_from(high? * 16 + low?).ok()?;
        if value.is_ascii_alphanumeric() || matches!(value, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(value));
        } else {
            out.push_str(&format!("%{value:02X}"));
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_can_be_written_in_several_ways() {
        let ours = "https://gateway.example/llm/v1/chat";
        for stated in [
            "https://gateway.example/llm/v1/chat",
            "HTTPS://Gateway.Example/llm/v1/chat",
            "https://gateway.example:443/llm/v1/chat",
            "https://gateway.example:/llm/v1/chat",
            "https://gateway.example/l%6Cm/v1/chat",
            "https://gateway.example/l%6cm/v1/chat",
        ] {
            assert!(is_same(stated, ours), "{stated}");
        }
        assert!(is_same("https://gateway.example/", "https://gateway.example"));
        assert!(is_same("http://[::1]:8080/a%2fb", "http://[::1]:8080/a%2Fb"));
    }

    #[test]
    fn what_is_another_address_stays_one() {
        let ours = "https://gateway.example/llm/v1/chat";
        for stated in [
            "",
            "/llm/v1/chat",
            "http://gateway.example/llm/v1/chat",
            "https://gateway.example:8443/llm/v1/chat",
            "https://gateway.example:80/llm/v1/chat",
            "https://gateway.example.attacker.example/llm/v1/chat",
            "https://user@gateway.example/llm/v1/chat",
            "https://gateway.example/llm/v1/chat/",
            "https://gateway.example/llm/v1/Chat",
            "https://gateway.example/llm//v1/chat",
            "https://gateway.example/llm/../llm/v1/chat",
            "https://gateway.example/llm%2Fv1/chat",
            "https://gateway.example/llm/v1/chat?x=1",
            "https://gateway.example/llm/v1/chat#x",
            "https://gateway.example/llm/v1/chat%",
            "https://gateway.example/llm/v1/chat%2",
            "https://gateway.example/llm/v1/chat%zz",
            " https://gateway.example/llm/v1/chat",
            "ftp://gateway.example/llm/v1/chat",
        ] {
            assert!(!is_same(stated, ours), "{stated}");
        }
    }
}
