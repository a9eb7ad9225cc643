use std::path::Path;

use expect_test::{Expect, expect};

use super::*;

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, ConfigError> {
    let environment =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Loaded::parse(Path::new("modelward.toml"), Path::new("/data"), text.to_owned(), &environment)
}

/// What an operator reads.
fn check(text: &str, variables: &[(&str, &str)], expect: &Expect) {
    let shown = match load(text, variables) {
        Ok(loaded) => loaded
            .effective
            .shown()
            .filter(|(_, _, origin)| **origin != Origin::Default)
            .fold(String::new(), |shown, (key, value, origin)| {
                format!("{shown}{key} = {value}  ({origin})\n")
            }),
        Err(error) => format!("error: {error}\n"),
    };
    expect.assert_eq(&shown);
}

#[test]
fn nothing_stated_means_the_defaults() {
    let loaded = load("", &[]).unwrap();
    assert_eq!(loaded.config.control.listen.to_string(), "127.0.0.1:7080");
    assert_eq!(loaded.config.gateway.listen.to_string(), "127.0.0.1:7070");
    assert_eq!(loaded.config.data_dir, Path::new("/data"));
    assert_eq!(loaded.config.drain_timeout, Duration::from_secs(30));
}

#[test]
fn every_default_can_be_read() {
    for setting in settings::ALL {
        if let Default::Text(text) = setting.default() {
            assert_eq!(setting.check(&setting.raw_of(text)), Ok(()), "{}", setting.path());
        }
    }
}

#[test]
fn a_value_says_where_it_came_from() {
    check(
        "drain_timeout = '5s'\n[gateway]\nlisten = '127.0.0.1:8000'\n",
        &[("MODELWARD_GATEWAY_LISTEN", "127.0.0.1:0"), ("HOME", "/root")],
        &expect![[r#"
            drain_timeout = "5s"  (file, 1:1)
            gateway.listen = "127.0.0.1:0"  (MODELWARD_GATEWAY_LISTEN)
        "#]],
    );
}

#[test]
fn an_unknown_key_refuses_to_start() {
    check(
        "[gateway]\nlisten = '127.0.0.1:8000'\nlisen = 'x'\n",
        &[],
        &expect![[r#"
            error: unknown key `gateway.lisen`
              --> modelward.toml:3:1
               |
            3  | lisen = 'x'
               | ^^^^^
            hint: did you mean `gateway.listen`?
        "#]],
    );
    check(
        "[quantum]\nbits = 3\n",
        &[],
        &expect![[r#"
            error: unknown key `quantum`
              --> modelward.toml:1:2
               |
            1  | [quantum]
               |  ^^^^^^^
            hint: `modelward config keys` lists every key
        "#]],
    );
}

#[test]
fn an_unknown_variable_refuses_to_start() {
    check(
        "",
        &[("MODELWARD_GATEWAY_LISEN", "127.0.0.1:0")],
        &expect![[r#"
            error: unknown environment variable `MODELWARD_GATEWAY_LISEN`
              --> environment variable MODELWARD_GATEWAY_LISEN
            hint: did you mean `MODELWARD_GATEWAY_LISTEN`?
        "#]],
    );
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    check(
        "drain_timeout = 0\n[control]\nlisten = 'here'\n[control.tls]\nkey = 'k.pem'\n",
        &[("MODELWARD_TELEMETRY_LOG_FORMAT", "xml")],
        &expect![[r#"
            error: `drain_timeout` is not of the form: duration such as `30s`
              --> modelward.toml:1:17
               |
            1  | drain_timeout = 0
               |                 ^
            hint: write a duration such as `30s`

            error: `control.listen` is not an address and port such as `127.0.0.1:7070`
              --> modelward.toml:3:10
               |
            3  | listen = 'here'
               |          ^^^^^^
            hint: write an address and port

            error: `control.tls.key` is set but `control.tls.certificate` is not
              --> modelward.toml:5:7
               |
            5  | key = 'k.pem'
               |       ^^^^^^^
            hint: TLS needs the certificate chain and its private key

            error: `telemetry.log_format` is none of `auto`, `human` and `json`
              --> environment variable MODELWARD_TELEMETRY_LOG_FORMAT
            hint: write `auto`, `human` or `json`
        "#]],
    );
}

#[test]
fn plain_text_beyond_loopback_needs_a_dangerous_word() {
    check(
        "[gateway]\nlisten = '10.1.2.3:7070'\n",
        &[],
        &expect![[r#"
            error: `gateway.listen` is beyond loopback and has no TLS
              --> modelward.toml:2:10
               |
            2  | listen = '10.1.2.3:7070'
               |          ^^^^^^^^^^^^^^^
            hint: set `gateway.tls.certificate` and `gateway.tls.key`, or, behind a proxy that encrypts, `gateway.danger_listen_beyond_loopback_without_tls = true`
        "#]],
    );
    let dangerous = "[gateway]\nlisten = '10.1.2.3:7070'\ndanger_listen_beyond_loopback_without_tls = true\n";
    assert!(load(dangerous, &[]).is_ok());
    let upstream = "[upstreams.far]\nurls = ['http://10.1.2.3:8000']\n";
    assert!(load(upstream, &[]).is_err());
    assert!(load(&format!("{upstream}danger_plain_text_beyond_loopback = true\n"), &[]).is_ok());
}

#[test]
fn an_upstream_has_one_credential_and_nobody_sees_it() {
    check(
        "[upstreams.scoring]\nurls = ['http://127.0.0.1:8000']\ndanger_credential = 's3cret'\n",
        &[],
        &expect![[r#"
            upstreams.scoring.danger_credential = (hidden)  (file, 3:1)
            upstreams.scoring.urls = ["http://127.0.0.1:8000"]  (file, 2:1)
        "#]],
    );
    let both = "[upstreams.a]\nurls=['http://127.0.0.1:1']\ncredential_file='x'\ncredential_env='Y'\n";
    assert!(load(both, &[]).is_err());
    let shown = format!(
        "{:?}",
        load("[upstreams.a]\nurls=['http://127.0.0.1:1']\ndanger_credential='s3cret'\n", &[]).unwrap()
    );
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn an_upstream_without_urls_is_named() {
    check(
        "[upstreams.scoring]\nhealth_path = '/ready'\n",
        &[],
        &expect![[r#"
            error: `upstreams.scoring.urls` is missing
              --> modelward.toml
            hint: write a list
        "#]],
    );
}

#[test]
fn a_network_is_a_range_with_a_name() {
    let text = "[networks]\n'10.0.0.0/8' = 'office'\n'fd00::/8' = 'office'\n";
    let networks = load(text, &[]).unwrap().config.networks;
    let shown: Vec<String> = networks.iter().map(|(range, segment)| format!("{range} {segment}")).collect();
    assert_eq!(shown, ["10.0.0.0/8 office", "fd00::/8 office"]);
    assert!(load("[networks]\n'10.0.0.1/8' = 'office'\n", &[]).is_err(), "bits beyond the prefix");
    assert!(load("[networks]\n'10.0.0.0/33' = 'office'\n", &[]).is_err());
    assert!(load("[networks]\n'office' = 'office'\n", &[]).is_err());
}

#[test]
fn text_that_is_no_toml_is_shown_where_it_breaks() {
    check(
        "[gateway\nlisten = 1\n",
        &[],
        &expect![[r#"
            error: not TOML: unclosed table, expected `]`
              --> modelward.toml:1:9
               |
            1  | [gateway
               |         ^
        "#]],
    );
}

#[test]
fn other_enforcement_points_are_off_unless_they_have_an_address() {
    let points = load("", &[]).unwrap().config.points;
    assert!(points.authzen.is_none() && points.ext_authz.is_none() && points.forward_auth.is_none());
    let text = "[authzen]\nlisten = '127.0.0.1:0'\n[callers.edge]\nprincipal = 'machine:edge'\n\
                subject_groups = ['staff']\nobligations = ['strip', 'round']\nasserts = ['network']\n";
    let points = load(text, &[]).unwrap().config.points;
    assert!(points.authzen.is_some() && points.ext_authz.is_none());
    let (_, edge) = points.callers.first_key_value().unwrap();
    assert_eq!(edge.principal.to_string(), "machine:edge");
    assert_eq!(edge.projects, modelward_gateway::pdp::Reach::Named([].into()), "nothing unless said");
}

#[test]
fn a_caller_that_is_wrong_refuses_to_start() {
    check(
        "[forward_auth]\nlisten = '0.0.0.0:7072'\n\
         [callers.a]\nprincipal = 'edge'\n\
         [callers.b]\nall_subjects = true\n\
         [callers.c]\nprincipal = 'user:ana'\nall_projects = true\nprojects = ['x']\nobligations = ['fly']\n\
         [callers.d]\nprincipal = 'machine:m'\n[callers.e]\nprincipal = 'machine:m'\n",
        &[],
        &expect![[r#"
            error: `forward_auth.listen` is beyond loopback and has no TLS
              --> modelward.toml:2:10
               |
            2  | listen = '0.0.0.0:7072'
               |          ^^^^^^^^^^^^^^
            hint: set `forward_auth.tls.certificate` and `forward_auth.tls.key`, or, behind a proxy that encrypts, `forward_auth.danger_listen_beyond_loopback_without_tls = true`

            error: `callers.a.principal` is neither `user:NAME` nor `machine:NAME`
              --> modelward.toml:4:13
               |
            4  | principal = 'edge'
               |             ^^^^^^
            hint: write `user:NAME` or `machine:NAME`

            error: the caller `c` reaches everything, and has a list beside
               --> modelward.toml:10:12
                |
            10  | projects = ['x']
                |            ^^^^^
            hint: keep one of `callers.*.all_projects` and `callers.*.projects`

            error: `callers.c.obligations` has the part `fly`, which is none of `strip`, `round`, `top-k`, `label-only`, `mask`, `row-filter`, `cohort`, `answer-bytes`, `rate`, `step-up`, `watermark`, `notify`
               --> modelward.toml:11:15
                |
            11  | obligations = ['fly']
                |               ^^^^^^^
            hint: write a list

            error: the callers `d` and `e` are the same principal
               --> modelward.toml:15:13
                |
            15  | principal = 'machine:m'
                |             ^^^^^^^^^^^
            hint: give each caller a principal of its own, or join the two

            error: `callers.b.principal` is missing
              --> modelward.toml
            hint: write `user:NAME` or `machine:NAME`
        "#]],
    );
}
