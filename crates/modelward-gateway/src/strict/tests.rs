use http::Request;

use super::*;

fn check(version: Version, target: &str, headers: &[(&str, &str)]) -> Result<(), String> {
    let mut request = Request::builder().method("POST").version(version).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    match read(&parts).and_then(|head| head.credential().map(|presented| presented.reveal().to_owned())) {
        Ok(secret) => {
            assert_eq!(secret, "t0k");
            Ok(())
        }
        Err(refusal) => Err(refusal.message.into_owned()),
    }
}

const AUTH: (&str, &str) = ("authorization", "Bearer t0k");
const HOST: (&str, &str) = ("host", "gw.test");

#[test]
fn heads_that_can_be_read_in_two_ways_are_refused() {
    let h1 = Version::HTTP_11;
    for (target, headers, fault) in [
        ("/e/v2", vec![AUTH], "one `host`"),
        ("/e/v2", vec![AUTH, HOST, HOST], "one `host`"),
        ("/e/v2", vec![AUTH, ("host", "a b")], "not an authority"),
        ("/e/v2", vec![AUTH, ("host", "u@gw.test")], "user name"),
        ("http://other.test/e/v2", vec![AUTH, HOST], "another host"),
        ("/e/v2", vec![AUTH, HOST, ("connection", "host")], "names `host`"),
        ("/e/v2", vec![AUTH, HOST, ("transfer-encoding", "gzip, chunked")], "one `chunked`"),
        ("/e/v2", vec![AUTH, HOST, ("transfer-encoding", "chunked, chunked")], "one `chunked`"),
        ("/e/v2", vec![AUTH, HOST, ("transfer-encoding", "xchunked")], "one `chunked`"),
        (
            "/e/v2",
            vec![AUTH, HOST, ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            "more than once",
        ),
        ("/e/v2", vec![AUTH, HOST, ("transfer-encoding", "chunked"), ("content-length", "3")], "both"),
        ("/e/v2", vec![AUTH, HOST, ("content-length", "+5")], "not a number"),
        ("/e/v2", vec![AUTH, HOST, ("content-length", "5"), ("content-length", "5")], "more than once"),
        ("/e/v2", vec![AUTH, HOST, ("content-type", "a/b"), ("content-type", "a/b")], "more than once"),
        ("/e/v2", vec![AUTH, AUTH, HOST], "more than once"),
        ("/e/v2", vec![AUTH, HOST, ("x_forwarded_for", "1.2.3.4")], "underscore"),
        ("/e/v2", vec![AUTH, HOST, ("api-key", "other")], "two different"),
        ("/e/v2?access_token=abc", vec![AUTH, HOST], "credential in the URL"),
        ("/e/v2?a=1&API%5FKEY=abc", vec![AUTH, HOST], "credential in the URL"),
        ("/e/v2?%6Bey=abc", vec![AUTH, HOST], "credential in the URL"),
        ("/e/v2?beta=true", vec![AUTH, HOST], "query parameters"),
        ("/e/v2", vec![HOST], "no credential"),
        ("/e/v2", vec![HOST, AUTH, ("connection", "close, Authorization")], "no credential"),
        ("/e/v2", vec![HOST, ("authorization", "Basic dTpw")], "bearer or DPoP credential"),
        ("/e/v2", vec![HOST, ("authorization", "Bearer a b")], "bearer or DPoP credential"),
        ("/e/v2", vec![HOST, ("authorization", "Bearer ")], "bearer or DPoP credential"),
        ("/e/v2", vec![HOST, AUTH, ("x-modelward-purpose", "a b")], "not a name"),
    ] {
        let shown = check(h1, target, &headers).expect_err(target);
        assert!(shown.contains(fault), "{target} {headers:?}: {shown}");
        assert!(!shown.contains("abc") && !shown.contains("t0k"), "a secret in a message: {shown}");
    }
    let old = check(Version::HTTP_10, "/e/v2", &[AUTH, HOST, ("transfer-encoding", "chunked")]);
    assert!(old.is_err());
}

#[test]
fn every_place_a_client_puts_its_token_is_read() {
    let h1 = Version::HTTP_11;
    for header in [AUTH, ("authorization", "bearer t0k"), ("api-key", "t0k"), ("x-api-key", "t0k")] {
        assert_eq!(check(h1, "/e/v2", &[HOST, header]), Ok(()), "{header:?}");
    }
    assert_eq!(
        check(h1, "http://GW.test/e/v2", &[HOST, AUTH]),
        Ok(()),
        "the same host twice is no contradiction"
    );
    assert_eq!(check(Version::HTTP_2, "https://gw.test/e/v2", &[AUTH]), Ok(()));
    assert!(check(Version::HTTP_2, "/e/v2", &[AUTH]).is_err());
}

#[test]
fn a_credential_is_never_shown() {
    assert_eq!(format!("{:?}", Presented { secret: "s3cret", scheme: Scheme::Dpop }), "Presented(..)");
}
