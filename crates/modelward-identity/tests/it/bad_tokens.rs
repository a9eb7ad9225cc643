//! The corpus of bad tokens: `reference/identity.md` section 4, rows 1 to 9, each with the refusal it meets.
//!
//! Every row but those about the signature itself is signed with the right key, by another implementation of Ed25519:
//! what refuses it is the check it is about, and not the signature.

use modelward_decision::EpochScope;
use modelward_identity::token::{KeySet, Profile, SigningKey, Standing, TokenRefusal, Verifier};
use serde_json::{Value, json};

use crate::support::{CONTROL, GATEWAY, House, ISS, SeededIds, b64, forge, later, noon, read};
use TokenRefusal as R;

/// A house with a good token taken apart.
struct Workshop {
    house: House,
    header: Value,
    claims: Value,
}

impl Workshop {
    fn new() -> Self {
        let house = House::new();
        let (header, claims, _) = read(house.token().text.expose());
        let [header, claims] = [header, claims].map(|text| serde_json::from_str(&text).unwrap());
        Self { house, header, claims }
    }

    fn seed(&self) -> &[u8; 32] {
        self.house.access_key.expose_seed()
    }

    /// Good claims under a header with these members changed; `null` takes a member away.
    fn header(&self, changes: Value) -> String {
        forge(self.seed(), &changed(&self.header, changes).to_string(), &self.claims.to_string())
    }

    /// Changed claims under a good header.
    fn claims(&self, changes: Value) -> String {
        self.raw_claims(&changed(&self.claims, changes).to_string())
    }

    fn raw_header(&self, header: &str) -> String {
        forge(self.seed(), header, &self.claims.to_string())
    }

    fn raw_claims(&self, claims: &str) -> String {
        forge(self.seed(), &self.header.to_string(), claims)
    }

    /// The good claims with a member put in once more, before all others.
    fn doubled(&self, member: &str) -> String {
        self.raw_claims(&self.claims.to_string().replacen('{', &format!("{{{member},"), 1))
    }

    fn good(&self) -> String {
        self.claims(json!({}))
    }

    fn verify(&self, token: impl AsRef<[u8]>) -> Option<R> {
        self.house.gateway.verify(token.as_ref(), &self.house.epochs, noon()).err()
    }

    #[track_caller]
    fn check(&self, rows: impl IntoIterator<Item = (&'static str, String, R)>) {
        assert_eq!(self.verify(self.good()), None, "the token all others are made from is good");
        let wrong: Vec<String> = rows
            .into_iter()
            .filter_map(|(name, token, expected)| {
                let found = self.verify(token);
                (found != Some(expected)).then(|| format!("{name}: expected {expected:?}, found {found:?}"))
            })
            .collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

#[expect(clippy::needless_pass_by_value, reason = "rows are written with `json!` in place")]
fn changed(object: &Value, changes: Value) -> Value {
    let mut object = object.clone();
    for (member, value) in changes.as_object().unwrap() {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(member);
        } else {
            object[member] = value.clone();
        }
    }
    object
}

#[test]
fn threats_01_and_02_algorithms() {
    let bench = Workshop::new();
    let unsigned = |alg: &str| {
        let header = changed(&bench.header, json!({ "alg": alg })).to_string();
        format!("{}.{}.", b64(header), b64(bench.claims.to_string()))
    };
    bench.check([
        ("alg none, no signature", unsigned("none"), R::Algorithm),
        ("alg none, signed", bench.header(json!({ "alg": "none" })), R::Algorithm),
        ("alg nOnE", unsigned("nOnE"), R::Algorithm),
        ("alg NONE", unsigned("NONE"), R::Algorithm),
        ("no signature under a good header", unsigned("EdDSA"), R::Signature),
        ("HS256 with our public key as secret", bench.header(json!({ "alg": "HS256" })), R::Algorithm),
        ("HS512", bench.header(json!({ "alg": "HS512" })), R::Algorithm),
        ("RS256", bench.header(json!({ "alg": "RS256" })), R::Algorithm),
        ("ES256", bench.header(json!({ "alg": "ES256" })), R::Algorithm),
        ("Ed25519 (RFC 9864), which is not ours", bench.header(json!({ "alg": "Ed25519" })), R::Algorithm),
        ("eddsa in lower case", bench.header(json!({ "alg": "eddsa" })), R::Algorithm),
        ("alg empty", bench.header(json!({ "alg": "" })), R::Algorithm),
        ("alg missing", bench.header(json!({ "alg": null })), R::Header),
        ("alg a list", bench.header(json!({ "alg": ["EdDSA"] })), R::Header),
        ("alg a number", bench.header(json!({ "alg": 1 })), R::Header),
    ]);
}

#[test]
fn threat_03_key_ids() {
    let bench = Workshop::new();
    let kid = |kid: &str| bench.header(json!({ "kid": kid }));
    bench.check([
        ("path traversal", kid("../../../../dev/null"), R::Key),
        ("absolute path", kid("/etc/passwd"), R::Key),
        ("SQL", kid("x' UNION SELECT 'secret"), R::Key),
        ("command", kid("$(id)"), R::Key),
        ("an address", kid("https://attacker.example/key"), R::Key),
        ("control characters", kid("a\u{0}b\n"), R::Key),
        ("not ASCII", kid("ключ"), R::Key),
        ("empty", kid(""), R::Key),
        ("65 characters", kid(&"k".repeat(65)), R::Key),
        ("5000 characters", kid(&"k".repeat(5000)), R::Key),
        ("a megabyte", kid(&"k".repeat(1 << 20)), R::TooLong),
        ("well formed and unknown", kid("another-key"), R::Key),
        ("in another case", kid(&bench.house.access_key.id().as_str().to_uppercase()), R::Key),
        ("missing", bench.header(json!({ "kid": null })), R::Header),
        ("a number", bench.header(json!({ "kid": 7 })), R::Header),
        ("an object", bench.header(json!({ "kid": { "a": 1 } })), R::Header),
    ]);
}

#[test]
fn threat_04_header_members_nobody_asked_for() {
    let bench = Workshop::new();
    let jwk = bench.house.access_key.public().jwk();
    let with = |member: &str, value: Value| bench.header(json!({ member: value }));
    bench.check([
        ("jku", with("jku", json!("https://attacker.example/jwks")), R::Header),
        ("jwk", with("jwk", jwk), R::Header),
        ("x5u", with("x5u", json!("https://attacker.example/x5u")), R::Header),
        ("x5c", with("x5c", json!(["MIIB"])), R::Header),
        ("x5t", with("x5t", json!("abc")), R::Header),
        ("crit of nothing", with("crit", json!([])), R::Header),
        ("crit of an unknown extension", with("crit", json!(["exp"])), R::Header),
        ("crit b64", bench.header(json!({ "crit": ["b64"], "b64": false })), R::Header),
        ("b64", with("b64", json!(true)), R::Header),
        ("zip", with("zip", json!("DEF")), R::Header),
        ("cty", with("cty", json!("JWT")), R::Header),
        ("enc", with("enc", json!("A256GCM")), R::Header),
        ("nonce", with("nonce", json!("abc")), R::Header),
        ("iss in the header", with("iss", json!(ISS)), R::Header),
        ("Alg", with("Alg", json!("EdDSA")), R::Header),
        ("an empty name", with("", json!(1)), R::Header),
    ]);
}

#[test]
fn threat_06_types_of_other_tokens() {
    let bench = Workshop::new();
    let typ = |typ: &str| bench.header(json!({ "typ": typ }));
    bench.check([
        ("control", typ("mw-control+jwt"), R::Type),
        ("ID token", typ("JWT"), R::Type),
        ("logout", typ("logout+jwt"), R::Type),
        ("security event", typ("secevent+jwt"), R::Type),
        ("DPoP proof", typ("dpop+jwt"), R::Type),
        ("client authentication", typ("client-authentication+jwt"), R::Type),
        ("with its media type", typ("application/at+jwt"), R::Type),
        ("in another case", typ("AT+JWT"), R::Type),
        ("with a space", typ("at+jwt "), R::Type),
        ("empty", typ(""), R::Type),
        ("missing", bench.header(json!({ "typ": null })), R::Header),
        ("null", bench.raw_header(r#"{"alg":"EdDSA","typ":null,"kid":"k"}"#), R::Header),
    ]);
}

#[test]
fn threat_07_issuer_and_audience() {
    let bench = Workshop::new();
    let with = |member: &str, value: Value| bench.claims(json!({ member: value }));
    bench.check([
        ("aud of the control plane", with("aud", json!(CONTROL)), R::Audience),
        ("aud with a slash", with("aud", json!(format!("{GATEWAY}/"))), R::Audience),
        ("aud in another case", with("aud", json!(GATEWAY.to_uppercase())), R::Audience),
        ("aud a prefix of ours", with("aud", json!("https://gateway")), R::Audience),
        ("aud empty", with("aud", json!("")), R::Audience),
        ("aud a list of ours", with("aud", json!([GATEWAY])), R::Claims),
        ("aud a list with strangers", with("aud", json!([GATEWAY, "https://other.example"])), R::Claims),
        ("aud an empty list", with("aud", json!([])), R::Claims),
        ("aud missing", with("aud", Value::Null), R::Claims),
        ("aud true", with("aud", json!(true)), R::Claims),
        ("iss of somebody else", with("iss", json!("https://attacker.example")), R::Issuer),
        ("iss with a slash", with("iss", json!(format!("{ISS}/"))), R::Issuer),
        ("iss over http", with("iss", json!(ISS.replace("https", "http"))), R::Issuer),
        ("iss empty", with("iss", json!("")), R::Issuer),
        ("iss a list", with("iss", json!([ISS])), R::Claims),
        ("iss missing", with("iss", Value::Null), R::Claims),
    ]);
}

#[test]
fn threat_09_times() {
    let bench = Workshop::new();
    let now = noon().as_second();
    let with = |member: &str, value: Value| bench.claims(json!({ member: value }));
    let raw = |member: &str, value: &str| {
        let claims = changed(&bench.claims, json!({ member: "HERE" })).to_string();
        bench.raw_claims(&claims.replace("\"HERE\"", value))
    };
    let span = |iat: i64, nbf: i64, exp: i64| {
        bench.claims(
            json!({ "iat": now + iat, "nbf": now + nbf, "exp": now + exp, "auth_time": now - 100_000 }),
        )
    };
    bench.check([
        ("exp missing", with("exp", Value::Null), R::Claims),
        ("exp null", raw("exp", "null"), R::Claims),
        ("exp a string", with("exp", json!((now + 60).to_string())), R::Claims),
        ("exp a float", raw("exp", &format!("{}.0", now + 60)), R::Claims),
        ("exp with an exponent", raw("exp", "1.7e9"), R::Claims),
        ("exp 1e300", raw("exp", "1e300"), R::Claims),
        ("exp 2^63", raw("exp", "9223372036854775808"), R::Claims),
        ("exp 2^63-1", raw("exp", "9223372036854775807"), R::Claims),
        ("exp far away", with("exp", json!(253_402_207_200_i64)), R::Life),
        ("exp negative", with("exp", json!(-1)), R::Claims),
        ("exp -0", raw("exp", "-0"), R::Claims),
        ("exp NaN", raw("exp", "NaN"), R::Claims),
        ("exp true", raw("exp", "true"), R::Claims),
        ("exp before iat", span(0, 0, -1), R::Claims),
        ("exp at iat", span(0, 0, 0), R::Claims),
        ("exp at nbf", span(0, 60, 60), R::Claims),
        ("expired, beyond the leeway", span(-120, -120, -30), R::Expired),
        ("expired long ago", span(-3600, -3600, -3500), R::Expired),
        ("two minutes and a second", span(0, 0, 121), R::Life),
        ("long-lived and old", span(-86_400, -86_400, 300), R::Life),
        ("nbf in the future", span(0, 31, 120), R::NotYet),
        ("iat in the future", span(31, 0, 120), R::NotYet),
        ("iat and nbf an hour ahead", span(3600, 3600, 3700), R::NotYet),
        ("nbf missing", with("nbf", Value::Null), R::Claims),
        ("nbf a string", with("nbf", json!("0")), R::Claims),
        ("iat missing", with("iat", Value::Null), R::Claims),
        ("iat a float", raw("iat", &format!("{now}.5")), R::Claims),
        ("auth_time missing", with("auth_time", Value::Null), R::Claims),
        ("signed in after it was minted", with("auth_time", json!(now + 1)), R::Claims),
    ]);
    assert_eq!(bench.verify(span(30, 30, 120)), None, "clocks may differ by 30 s");
    assert_eq!(bench.verify(span(-120, -120, -29)), None, "clocks may differ by 30 s");
}

#[test]
fn claims_of_the_wrong_kind() {
    let bench = Workshop::new();
    let with = |member: &str, value: Value| bench.claims(json!({ member: value }));
    let details = |changes: Value| {
        let details = changed(&bench.claims["authorization_details"][0], changes);
        with("authorization_details", json!([details]))
    };
    let one = &bench.claims["authorization_details"][0];
    let print = b64([0xfb; 32]);
    let many: Vec<String> = (0..65_u128).map(|number| crate::support::model(number).to_string()).collect();
    bench.check([
        ("sub missing", with("sub", Value::Null), R::Claims),
        ("sub a name", with("sub", json!("dana")), R::Claims),
        ("sub a group", with("sub", json!("gp_01jc000000e00800000000006t")), R::Claims),
        ("sub empty", with("sub", json!("")), R::Claims),
        ("jti missing", with("jti", Value::Null), R::Claims),
        ("jti of another kind", with("jti", json!("se_01jc000000e00800000000006t")), R::Claims),
        ("sid missing", with("sid", Value::Null), R::Claims),
        ("client_id missing", with("client_id", Value::Null), R::Claims),
        ("client_id a path", with("client_id", json!("../cli")), R::Claims),
        ("acr missing", with("acr", Value::Null), R::Claims),
        ("acr unknown", with("acr", json!("9fa")), R::Claims),
        ("acr a number", with("acr", json!(3)), R::Claims),
        ("amr missing", with("amr", Value::Null), R::Claims),
        ("amr a word", with("amr", json!("pwd")), R::Claims),
        ("amr of nine", with("amr", json!(vec!["pwd"; 9])), R::Claims),
        ("mw_epoch missing", with("mw_epoch", Value::Null), R::Claims),
        ("mw_epoch a number", with("mw_epoch", json!(0)), R::Claims),
        ("mw_epoch negative", with("mw_epoch", json!({ "principal": -1, "session": 0 })), R::Claims),
        ("mw_epoch of more", with("mw_epoch", json!({ "principal": 0, "session": 0, "x": 0 })), R::Claims),
        ("a claim nobody knows", with("role", json!("admin")), R::Claims),
        ("scope", with("scope", json!("govern")), R::Claims),
        ("cnf of no thumbprint", with("cnf", json!({ "jkt": "x" })), R::Claims),
        ("cnf of 31 bytes", with("cnf", json!({ "jkt": b64([7; 31]) })), R::Claims),
        ("cnf of nothing", with("cnf", json!({})), R::Claims),
        ("cnf null", bench.doubled("\"cnf\":null"), R::Claims),
        ("cnf of two methods", with("cnf", json!({ "jkt": print, "x5t#S256": print })), R::Claims),
        ("cnf of a method nobody checks", with("cnf", json!({ "jwk": {} })), R::Claims),
        ("cnf of more", with("cnf", json!({ "jkt": print, "x": 1 })), R::Claims),
        ("cnf in another alphabet", with("cnf", json!({ "jkt": print.replace('-', "+") })), R::Claims),
        ("act by a name", with("act", json!({ "sub": "x" })), R::Claims),
        ("act of nobody", with("act", json!({})), R::Claims),
        ("act null", bench.doubled("\"act\":null"), R::Claims),
        ("act without its epochs", with("act", json!({ "sub": bench.claims["sub"] })), R::Claims),
        ("act of four", with("act", chain_of(&bench.claims, 4)), R::Claims),
        ("bound to a key, shown as if it were not", with("cnf", json!({ "jkt": print })), R::Scheme),
        ("bound to a certificate", with("cnf", json!({ "x5t#S256": print })), R::Certificate),
        ("no details", with("authorization_details", json!([])), R::Claims),
        ("details missing", with("authorization_details", Value::Null), R::Claims),
        ("details twice", with("authorization_details", json!([one, one])), R::Claims),
        ("details an object", with("authorization_details", one.clone()), R::Claims),
        ("details of another type", details(json!({ "type": "payment" })), R::Claims),
        ("details with actions", details(json!({ "actions": ["govern"] })), R::Claims),
        ("no privilege", details(json!({ "privileges": [] })), R::Claims),
        ("privileges missing", details(json!({ "privileges": null })), R::Claims),
        ("an unknown privilege", details(json!({ "privileges": ["root"] })), R::Claims),
        ("a privilege in another case", details(json!({ "privileges": ["Inference"] })), R::Claims),
        ("a privilege twice", details(json!({ "privileges": ["inference", "inference"] })), R::Claims),
        ("privileges out of order", details(json!({ "privileges": ["inference", "read-only"] })), R::Claims),
        ("joined privileges", details(json!({ "privileges": ["inference", "retraining"] })), R::Joined),
        ("joined privileges", details(json!({ "privileges": ["inference-sensitive", "export"] })), R::Joined),
        ("models empty, which is not any", details(json!({ "models": [] })), R::Claims),
        ("models null", bench.raw_claims(&null_models(&bench.claims)), R::Claims),
        (
            "models of another kind",
            details(json!({ "models": ["da_00000000000000000000000001"] })),
            R::Claims,
        ),
        ("a model twice", details(json!({ "models": [many[1], many[1]] })), R::Claims),
        ("too many models", details(json!({ "models": many })), R::Claims),
        ("retraining for whoever has it", details(json!({ "privileges": ["retraining"] })), R::Unbound),
        ("scores for whoever has it", details(json!({ "privileges": ["inference-sensitive"] })), R::Unbound),
    ]);
    assert_eq!(bench.verify(with("act", chain_of(&bench.claims, 3))), None, "three may act for another");
}

/// That many who act one for the other, each as well proved as dana.
fn chain_of(claims: &Value, count: usize) -> Value {
    let one = json!({ "sub": claims["sub"], "sid": claims["sid"], "mw_epoch": claims["mw_epoch"] });
    (1..count).fold(one.clone(), |former, _| {
        let mut next = one.clone();
        next["act"] = former;
        next
    })
}

fn null_models(claims: &Value) -> String {
    let mut claims = claims.clone();
    claims["authorization_details"][0]["models"] = Value::Null;
    claims.to_string()
}

#[test]
fn threat_05_json_two_parsers_could_read_differently() {
    let bench = Workshop::new();
    let kid = bench.house.access_key.id().as_str();
    let claims = bench.claims.to_string();
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(2000), "]".repeat(2000));
    bench.check([
        ("aud twice, ours last", bench.doubled(r#""aud":"https://attacker.example""#), R::Claims),
        ("aud twice, the same", bench.doubled(&format!("\"aud\":\"{GATEWAY}\"")), R::Claims),
        ("sub twice", bench.doubled(r#""sub":"pe_01jc000000e00800000000006t""#), R::Claims),
        ("exp twice", bench.doubled(r#""exp":9999999999"#), R::Claims),
        ("exp twice, once escaped", bench.doubled(r#""\u0065xp":9999999999"#), R::Claims),
        (
            "privileges twice",
            bench.raw_claims(&claims.replace("\"privileges\"", "\"privileges\":[\"govern\"],\"privileges\"")),
            R::Claims,
        ),
        (
            "alg twice",
            bench.raw_header(&format!(r#"{{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#)),
            R::Header,
        ),
        (
            "kid twice",
            bench.raw_header(&format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"x","kid":"{kid}"}}"#)),
            R::Header,
        ),
        ("a header without names", bench.raw_header(&format!(r#"["EdDSA","at+jwt","{kid}"]"#)), R::Header),
        ("a header of one word", bench.raw_header("\"EdDSA\""), R::Header),
        ("an empty header", bench.raw_header(""), R::Header),
        ("a header that ends early", bench.raw_header(r#"{"alg":"EdDSA""#), R::Header),
        ("a header and more", bench.raw_header(&format!("{}{{}}", bench.header)), R::Header),
        (
            "a header after a mark of byte order",
            bench.raw_header(&format!("\u{feff}{}", bench.header)),
            R::Header,
        ),
        ("a deep header", bench.raw_header(&deep), R::Header),
        ("claims without names", bench.raw_claims("[1,2,3]"), R::Claims),
        ("claims null", bench.raw_claims("null"), R::Claims),
        ("no claims", bench.raw_claims(""), R::Claims),
        ("claims and more", bench.raw_claims(&format!("{claims}x")), R::Claims),
        ("claims and a zero byte", bench.raw_claims(&format!("{claims}\0")), R::Claims),
        ("claims with a comment", bench.raw_claims(&claims.replacen('{', "{/**/", 1)), R::Claims),
        ("claims with a comma too many", bench.raw_claims(&claims.replace("}}", "},}")), R::Claims),
        ("deep claims", bench.raw_claims(&deep), R::Claims),
        (
            "deep in a member we know",
            bench.raw_claims(
                &claims
                    .replace(&format!("\"{GATEWAY}\""), &format!("{}{}", "[".repeat(2000), "]".repeat(2000))),
            ),
            R::Claims,
        ),
    ]);
}

#[test]
fn forms_that_are_not_three_canonical_parts() {
    let bench = Workshop::new();
    let good = bench.good();
    let [header, claims, signature]: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let with_signature = |signature: &str| format!("{header}.{claims}.{signature}");
    let last = |text: &str| {
        // The same bytes under another last character: stray bits below the last whole byte.
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let index = alphabet.iter().position(|known| *known == *text.as_bytes().last().unwrap()).unwrap();
        format!("{}{}", &text[..text.len() - 1], char::from(alphabet[index ^ 1]))
    };
    assert_eq!(signature.len() % 4, 2, "86 characters leave four stray bits");
    bench.check([
        ("empty", String::new(), R::Parts),
        ("dots", "..".to_owned(), R::Header),
        ("more dots", "...".to_owned(), R::Parts),
        ("one part", header.to_owned(), R::Parts),
        ("two parts", format!("{header}.{claims}"), R::Parts),
        ("four parts", format!("{good}.{signature}"), R::Parts),
        ("a dot behind", format!("{good}."), R::Parts),
        ("a dot before", format!(".{good}"), R::Parts),
        ("JWE: five parts", format!("{header}.{claims}.{signature}.{claims}.{signature}"), R::Parts),
        ("JSON serialization", json!({ "payload": claims, "signature": signature }).to_string(), R::Parts),
        ("with its scheme", format!("Bearer {good}"), R::Encoding),
        ("a space behind", format!("{good} "), R::Encoding),
        ("a space before", format!(" {good}"), R::Encoding),
        ("a line end", format!("{good}\n"), R::Encoding),
        ("CR and LF inside", format!("{header}.{claims}\r\n.{signature}"), R::Encoding),
        ("a zero byte", format!("{good}\0"), R::Encoding),
        ("padding on the signature", with_signature(&format!("{signature}==")), R::Encoding),
        ("padding on the header", format!("{header}=.{claims}.{signature}"), R::Encoding),
        ("stray bits in the signature", with_signature(&last(signature)), R::Encoding),
        ("the other alphabet", with_signature(&format!("{}+/", &signature[..84])), R::Encoding),
        ("percent signs", good.replace('.', "%2e"), R::Parts),
        ("letters that only look right", with_signature(&format!("{}ｅ", &signature[..84])), R::Encoding),
        ("one character short", with_signature(&signature[..85]), R::Encoding),
        ("a signature of 63 bytes", with_signature(&signature[..84]), R::Signature),
        ("a signature of 66 bytes", with_signature(&format!("{}AAA", &signature[..85])), R::Signature),
        ("a signature of zeros", with_signature(&b64([0; 64])), R::Signature),
        ("8193 bytes", "a".repeat(8193), R::TooLong),
        ("8192 bytes", "a".repeat(8192), R::Parts),
        ("ten megabytes", "a.".repeat(5 << 20), R::TooLong),
    ]);
}

#[test]
fn signatures_of_others() {
    let bench = Workshop::new();
    let stranger = SigningKey::generate(Profile::Access, &SeededIds::new(99)).unwrap();
    let good = bench.good();
    let [header, claims, signature]: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let other_claims =
        b64(changed(&bench.claims, json!({ "sub": "pe_01jc000000e00800000000006v" })).to_string());
    let control = bench.house.control_key.clone();
    bench.check([
        (
            "another key under our id",
            forge(stranger.expose_seed(), &bench.header.to_string(), &bench.claims.to_string()),
            R::Signature,
        ),
        (
            "another key under its own id",
            forge(
                stranger.expose_seed(),
                &changed(&bench.header, json!({ "kid": stranger.id().as_str() })).to_string(),
                &bench.claims.to_string(),
            ),
            R::Key,
        ),
        (
            "the control plane's key",
            forge(
                control.expose_seed(),
                &changed(&bench.header, json!({ "kid": control.id().as_str() })).to_string(),
                &bench.claims.to_string(),
            ),
            R::Key,
        ),
        ("claims swapped", format!("{header}.{other_claims}.{signature}"), R::Signature),
        ("parts swapped", format!("{claims}.{header}.{signature}"), R::Header),
        (
            "the signature of another token",
            {
                let other = bench.claims(json!({ "client_id": "other" }));
                format!("{header}.{claims}.{}", other.rsplit('.').next().unwrap())
            },
            R::Signature,
        ),
        (
            "S plus the group order, an equal signature to a lax verifier",
            {
                let (.., mut bytes) = read(&good);
                add_group_order(&mut bytes[32..]);
                format!("{header}.{claims}.{}", b64(bytes))
            },
            R::Signature,
        ),
    ]);
}

/// S + L, little-endian (RFC 8032 section 5.1.7 demands S < L).
fn add_group_order(s: &mut [u8]) {
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0_u16;
    for (digit, add) in s.iter_mut().zip(L) {
        let sum = u16::from(*digit) + u16::from(add) + carry;
        [*digit, _] = sum.to_le_bytes();
        carry = sum >> 8;
    }
}

#[test]
fn keys_and_epochs_that_ended() {
    let bench = Workshop::new();
    let revoked = Verifier::new(
        Profile::Access,
        ISS,
        GATEWAY,
        KeySet::new([(bench.house.access_key.public().clone(), Standing::Revoked)]).unwrap(),
    );
    let refused = revoked.verify(bench.good().as_bytes(), &bench.house.epochs, noon());
    assert_eq!(refused.unwrap_err(), R::KeyRevoked);

    bench.house.epochs.bump(EpochScope::Principal(crate::support::enrolled().login.principal()));
    assert_eq!(bench.verify(bench.good()), Some(R::Revoked));
}

#[test]
fn a_refused_token_is_not_remembered() {
    let bench = Workshop::new();
    let now = noon().as_second();
    let early = bench.claims(json!({ "iat": now + 60, "nbf": now + 60, "exp": now + 180 }));
    let at = |second| bench.house.gateway.verify(early.as_bytes(), &bench.house.epochs, later(second)).err();
    assert_eq!(at(0), Some(R::NotYet));
    assert_eq!(bench.house.gateway.cache().tokens, 0);
    assert_eq!(at(60), None);
    assert_eq!(bench.house.gateway.cache().tokens, 1);
}

#[test]
fn every_refusal_has_a_code_of_its_own() {
    let mut codes: Vec<_> = R::ALL.iter().map(|refusal| refusal.code()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), R::ALL.len());
}
