use std::collections::BTreeSet;

use super::*;

const PROTOCOLS: [Protocol; 2] = [Protocol::OpenInference, Protocol::OpenAi];

/// A request path of the row: every parameter filled.
fn sample(route: &Route) -> Vec<Cow<'static, str>> {
    let filled = route.path.replace("{rest*}", "x/y").replace("{model}", "m").replace("{version}", "1");
    let filled = filled.replace("{id}", "i").replace("{repo}", "r");
    filled.split('/').skip(1).map(|segment| Cow::Owned(segment.to_owned())).collect()
}

const fn method(route: &Route) -> Method {
    match route.method {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
        Verb::Delete => Method::DELETE,
        Verb::Any => Method::PUT,
    }
}

#[test]
fn every_row_is_reached_by_its_own_path() {
    for protocol in PROTOCOLS {
        for route in table(protocol) {
            let segments = sample(route);
            let found = find(protocol, &method(route), &segments).expect(route.id);
            assert_eq!(found.route.id, route.id);
            assert_eq!(found.model.is_some(), route.path.contains("{model}"), "{}", route.id);
        }
    }
}

#[test]
fn ids_are_unique() {
    let ids: Vec<_> = PROTOCOLS.into_iter().flat_map(table).map(|route| route.id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn a_read_or_inference_route_is_decided_by_its_own_privilege() {
    use modelward_decision::vocabulary::Privilege;
    for route in PROTOCOLS.into_iter().flat_map(table) {
        let Verdict::Allow { actions, .. } = route.verdict else { continue };
        for action in actions {
            let fits = match route.class {
                Class::Public => false,
                // The models one may use are a part of one's own rights.
                Class::Read => matches!(action.privilege(), Privilege::ReadOnly | Privilege::SelfService),
                Class::Infer => action.privilege() == Privilege::Inference,
                Class::Sensitive => action.privilege() == Privilege::InferenceSensitive,
                Class::ExportData | Class::Registry | Class::Deploy | Class::Train | Class::Administer => {
                    false
                }
            };
            assert!(fits, "{} is decided as {}", route.id, action.as_str());
        }
    }
}

#[test]
fn what_stands_in_no_row_matches_none() {
    for (method, path) in [
        (Method::GET, "v2/models/m/infer"),
        (Method::POST, "v2/models/m/infer/x"),
        (Method::POST, "v2/models/infer"),
        (Method::POST, "v2/models/m/Infer"),
        (Method::POST, "v3/models/m/infer"),
        (Method::GET, "v2/models/m/versions"),
    ] {
        let segments: Vec<Cow<'_, str>> = path.split('/').map(Cow::Borrowed).collect();
        assert!(find(Protocol::OpenInference, &method, &segments).is_none(), "{method} {path}");
    }
    assert!(find(Protocol::OpenInference, &Method::GET, &[]).is_none());
}

#[test]
fn the_committed_page_is_what_the_tables_say() {
    expect_test::expect_file!["../../../../docs/reference/routes.md"].assert_eq(&markdown());
}
