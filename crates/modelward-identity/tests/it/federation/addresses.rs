//! Where this program may be sent, and where not.

use std::net::IpAddr;

use expect_test::expect;
use modelward_identity::federation::{Reach, UrlRefusal, WebUrl, is_public};

/// A resolver that knows a few names, two of them lying.
fn resolve(url: &WebUrl) -> Vec<IpAddr> {
    let addresses: &[&str] = match url.host() {
        "id.example.org" => &["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
        "localhost" | "localtest.me" => &["127.0.0.1"],
        "metadata.google.internal" => &["169.254.169.254"],
        "six.example.org" => &["fd00:ec2::254"],
        "mapped.example.org" => &["::ffff:10.0.0.1"],
        "rebound.example.org" => &["93.184.215.14", "192.168.1.10"],
        "nowhere.example.org" => &[],
        literal => return vec![literal.parse().expect("an address")],
    };
    addresses.iter().map(|address| address.parse().expect("an address")).collect()
}

fn verdict(text: &str) -> String {
    let pinned = WebUrl::parse(text).and_then(|url| {
        let resolved = resolve(&url);
        Reach::default().pin(&url, &resolved)
    });
    pinned.map_or_else(|refusal| format!("no: {refusal}"), |address| format!("{address}"))
}

#[test]
fn row_20_no_document_is_fetched_from_inside_our_network() {
    let urls = [
        "https://id.example.org/jwks",
        "http://id.example.org/jwks",
        "ftp://id.example.org/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_",
        "https:id.example.org",
        "https://localhost/jwks",
        "https://localtest.me/jwks",
        "https://127.0.0.1/jwks",
        "https://127.1/jwks",
        "https://2130706433/jwks",
        "https://0x7f000001/jwks",
        "https://0177.0.0.1/jwks",
        "https://[::1]/jwks",
        "https://[::ffff:127.0.0.1]/jwks",
        "https://[::ffff:a9fe:a9fe]/latest/meta-data/",
        "https://[64:ff9b::7f00:1]/jwks",
        "https://[2002:7f00:1::]/jwks",
        "https://[fe80::1%25eth0]/jwks",
        "https://10.0.0.1/jwks",
        "https://172.31.255.255/jwks",
        "https://192.168.1.1/jwks",
        "https://100.100.100.200/latest/meta-data/",
        "https://169.254.169.254/latest/meta-data/",
        "https://168.63.129.16/metadata",
        "https://0.0.0.0/jwks",
        "https://metadata.google.internal/computeMetadata/v1/",
        "https://six.example.org/jwks",
        "https://mapped.example.org/jwks",
        "https://rebound.example.org/jwks",
        "https://nowhere.example.org/jwks",
        "https://id.example.org@127.0.0.1/jwks",
        "https://127.0.0.1\\@id.example.org/jwks",
        "https://id.example.org#@127.0.0.1/",
        "https://id%2eexample.org/jwks",
        "https://ID.example.org/jwks",
        "https://id.example.org:0443/jwks",
        "https://id.example.org:99999/jwks",
        "https:///jwks",
        "https://id.example.org/jwks\r\nHost: 127.0.0.1",
    ];
    let table: Vec<String> = urls.iter().map(|url| format!("{url:?}: {}\n", verdict(url))).collect();
    expect![[r#"
        "https://id.example.org/jwks": 93.184.215.14
        "http://id.example.org/jwks": no: it is not an `https://` URL
        "ftp://id.example.org/": no: it is not an `https://` URL
        "file:///etc/passwd": no: it is not an `https://` URL
        "gopher://127.0.0.1:6379/_": no: it is not an `https://` URL
        "https:id.example.org": no: it is not an `https://` URL
        "https://localhost/jwks": no: its host leads to `127.0.0.1`, which is not on the public internet
        "https://localtest.me/jwks": no: its host leads to `127.0.0.1`, which is not on the public internet
        "https://127.0.0.1/jwks": no: its host leads to `127.0.0.1`, which is not on the public internet
        "https://127.1/jwks": no: its host is neither a name nor a plain address
        "https://2130706433/jwks": no: its host is neither a name nor a plain address
        "https://0x7f000001/jwks": no: its host is neither a name nor a plain address
        "https://0177.0.0.1/jwks": no: its host is neither a name nor a plain address
        "https://[::1]/jwks": no: its host leads to `::1`, which is not on the public internet
        "https://[::ffff:127.0.0.1]/jwks": no: its host leads to `::ffff:127.0.0.1`, which is not on the public internet
        "https://[::ffff:a9fe:a9fe]/latest/meta-data/": no: its host leads to `::ffff:169.254.169.254`, which is not on the public internet
        "https://[64:ff9b::7f00:1]/jwks": no: its host leads to `64:ff9b::7f00:1`, which is not on the public internet
        "https://[2002:7f00:1::]/jwks": no: its host leads to `2002:7f00:1::`, which is not on the public internet
        "https://[fe80::1%25eth0]/jwks": no: it names a user, a fragment or an escaped host
        "https://10.0.0.1/jwks": no: its host leads to `10.0.0.1`, which is not on the public internet
        "https://172.31.255.255/jwks": no: its host leads to `172.31.255.255`, which is not on the public internet
        "https://192.168.1.1/jwks": no: its host leads to `192.168.1.1`, which is not on the public internet
        "https://100.100.100.200/latest/meta-data/": no: its host leads to `100.100.100.200`, which is not on the public internet
        "https://169.254.169.254/latest/meta-data/": no: its host leads to `169.254.169.254`, which is not on the public internet
        "https://168.63.129.16/metadata": no: its host leads to `168.63.129.16`, which is not on the public internet
        "https://0.0.0.0/jwks": no: its host leads to `0.0.0.0`, which is not on the public internet
        "https://metadata.google.internal/computeMetadata/v1/": no: its host leads to `169.254.169.254`, which is not on the public internet
        "https://six.example.org/jwks": no: its host leads to `fd00:ec2::254`, which is not on the public internet
        "https://mapped.example.org/jwks": no: its host leads to `::ffff:10.0.0.1`, which is not on the public internet
        "https://rebound.example.org/jwks": no: its host leads to `192.168.1.10`, which is not on the public internet
        "https://nowhere.example.org/jwks": no: its host has no address
        "https://id.example.org@127.0.0.1/jwks": no: it names a user, a fragment or an escaped host
        "https://127.0.0.1\\@id.example.org/jwks": no: it is longer than 1024 characters, or has others than URLs have
        "https://id.example.org#@127.0.0.1/": no: it names a user, a fragment or an escaped host
        "https://id%2eexample.org/jwks": no: it names a user, a fragment or an escaped host
        "https://ID.example.org/jwks": no: its host is neither a name nor a plain address
        "https://id.example.org:0443/jwks": no: its port is not a number from 1 to 65535 without leading zeros
        "https://id.example.org:99999/jwks": no: its port is not a number from 1 to 65535 without leading zeros
        "https:///jwks": no: its host is neither a name nor a plain address
        "https://id.example.org/jwks\r\nHost: 127.0.0.1": no: it is longer than 1024 characters, or has others than URLs have
    "#]].assert_eq(&table.concat());
}

#[test]
fn a_host_of_our_own_is_asked_where_the_configuration_names_it_and_nowhere_else() {
    let reach = Reach::with_private(["localhost".to_owned()]);
    let ours = WebUrl::parse("https://localhost:8443/jwks").unwrap();
    assert_eq!(reach.pin(&ours, &resolve(&ours)).unwrap(), IpAddr::from([127, 0, 0, 1]));
    let other = WebUrl::parse("https://localtest.me/jwks").unwrap();
    assert_eq!(reach.pin(&other, &resolve(&other)), Err(UrlRefusal::Private(IpAddr::from([127, 0, 0, 1]))));
}

#[test]
fn only_what_is_given_out_is_public() {
    let public = ["8.8.8.8", "2001:4860:4860::8888", "2a00:1450:4001::1"];
    let special = [
        "240.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "192.0.2.1",
        "ff02::1",
        "::",
        "2001:db8::1",
        "4000::1",
    ];
    for address in public {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
    for address in special {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn a_url_falls_into_the_parts_that_are_asked_for() {
    let url = WebUrl::parse("https://id.example.org:8443/realms/staff?x=1").unwrap();
    assert_eq!((url.host(), url.port(), url.authority()), ("id.example.org", 8443, "id.example.org:8443"));
    assert_eq!(url.target(), "/realms/staff?x=1");
    let six = WebUrl::parse("https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]").unwrap();
    assert_eq!((six.host(), six.target().as_str()), ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", "/"));
}
