//! Every page keeps the promises of the console, with no data, with ten rows, with very many.

use modelward_server::console::assets;
use modelward_server::console::view::Theme;

use crate::fixtures::pages;

/// Runs a check over every page with no rows, ten rows and ten thousand.
fn check(promise: impl Fn(&str, &str)) {
    for count in [0, 10, 10_000] {
        for (name, html) in pages(count, Theme::Light) {
            promise(&format!("{name} with {count} rows"), &html);
        }
    }
}

#[test]
fn no_page_carries_anything_a_strict_content_policy_would_refuse() {
    check(|name, html| {
        assert!(!html.contains("style="), "{name}: inline style");
        assert!(!html.contains("<style"), "{name}: style element");
        assert!(!html.contains("javascript:"), "{name}: script address");
        for handler in ["onclick=", "onload=", "onchange=", "onsubmit=", "onerror="] {
            assert!(!html.contains(handler), "{name}: {handler}");
        }
        let scripts = html.matches("<script").count();
        assert_eq!(scripts, html.matches(r#"<script src="/assets/"#).count(), "{name}: inline script");
    });
}

#[test]
fn nothing_is_fetched_from_elsewhere() {
    check(|name, html| {
        for attribute in
            ["src=\"http", "src=\"//", "<link rel=\"stylesheet\" href=\"http", "url(http", "@import"]
        {
            assert!(!html.contains(attribute), "{name}: {attribute}");
        }
    });
    for asset in [assets::paths().style, assets::paths().icon, assets::paths().script] {
        let text = String::from_utf8_lossy(assets::find(&asset).unwrap().bytes).into_owned();
        assert!(!text.contains("url(") && !text.contains("@import"), "{asset}");
    }
}

#[test]
fn a_first_visit_costs_at_most_sixty_kilobytes() {
    let paths = assets::paths();
    let assets: usize = [paths.style, paths.script, paths.icon]
        .iter()
        .map(|path| assets::find(path).unwrap().bytes.len())
        .sum();
    for (name, html) in pages(10, Theme::Light) {
        if ["sign-in", "enrol-1", "enrol-2", "home", "can", "models", "decision"].contains(&name) {
            assert!(html.len() + assets <= 60 * 1024, "{name}: {} bytes", html.len() + assets);
        }
    }
}

#[test]
fn every_mark_says_what_it_means_without_colour() {
    check(|name, html| {
        for mark in html.split(r#"<svg class="m m-"#).skip(1) {
            let mark = mark.split("</svg>").next().unwrap();
            assert!(mark.contains("<title>") && mark.contains(r##"href="#m-"##), "{name}: {mark}");
        }
    });
}

#[test]
fn every_form_that_changes_something_carries_the_sessions_token() {
    check(|name, html| {
        if name.starts_with("sign-in") || name.starts_with("enrol") {
            return;
        }
        for form in html.split("<form").skip(1) {
            let form = form.split("</form>").next().unwrap();
            if form.contains(r#"method="post""#) {
                assert!(form.contains(r#"name="csrf""#), "{name}: {form}");
            }
        }
    });
}

#[test]
fn every_field_has_a_name_for_those_who_do_not_see_it() {
    check(|name, html| {
        for field in html.split("<input").skip(1) {
            let field = field.split('>').next().unwrap();
            if field.contains(r#"type="hidden""#) || field.contains(r#"type="checkbox""#) {
                continue;
            }
            let id = field.split(r#"id=""#).nth(1).and_then(|rest| rest.split('"').next());
            let labelled = id.is_some_and(|id| html.contains(&format!(r#"for="{id}""#)));
            assert!(labelled || field.contains("aria-label="), "{name}: {field}");
        }
    });
}

#[test]
fn an_empty_page_teaches_what_would_appear_and_how() {
    for (name, html) in pages(0, Theme::Light) {
        let lists = [
            "home",
            "models",
            "matrix",
            "decisions",
            "grants",
            "people",
            "ledger",
            "policy",
            "replay",
            "difference",
            "single-policy",
        ];
        if lists.contains(&name) {
            assert!(html.contains(r#"class="empty""#), "{name}");
        }
    }
}

#[test]
fn a_list_of_very_many_shows_fifty_and_the_way_on() {
    for (name, html) in pages(10_000, Theme::Light) {
        if ["models", "decisions", "grants", "ledger"].contains(&name) {
            assert_eq!(html.matches("<tr data-href=").count(), 50, "{name}");
            assert!(html.contains(r#"rel="next""#) && html.contains("complete to entry"), "{name}");
        }
    }
}

#[test]
fn an_asset_is_found_only_under_the_digest_of_its_bytes() {
    let style = assets::paths().style;
    assert!(assets::find(&style).is_some());
    assert!(assets::find("/assets/console.css").is_none());
    assert!(assets::find("/assets/../Cargo.toml").is_none());
}
