//! Model cards: Markdown from people, shown as HTML that can do nothing.
//!
//! Raw HTML is shown as text, images become their description, and links lead only to `https:`, `http:`,
//! `mailto:` or a place on this site.

use std::fmt;

use askama::filters::HtmlSafe;
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// HTML this module wrote; nothing else can construct it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered(String);

/// Longest card rendered; a longer one is cut at a character boundary.
const BYTES_MAX: usize = 256 * 1024;

pub fn render(markdown: &str) -> Rendered {
    let end =
        (0..=BYTES_MAX.min(markdown.len())).rev().find(|at| markdown.is_char_boundary(*at)).unwrap_or(0);
    let text = markdown.get(..end).unwrap_or_default();
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut html = String::with_capacity(text.len().saturating_mul(2));
    pulldown_cmark::html::push_html(&mut html, Parser::new_ext(text, options).filter_map(harmless));
    Rendered(html)
}

fn harmless(event: Event<'_>) -> Option<Event<'_>> {
    Some(match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        // An image would be fetched from elsewhere; its description is what the reader gets.
        Event::Start(Tag::Image { .. }) => Event::Text(CowStr::Borrowed("[image] ")),
        Event::End(TagEnd::Image) => return None,
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = if leads_somewhere_harmless(&dest_url) { dest_url } else { CowStr::Borrowed("#") };
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        // The page has its own first heading, so a card's begin one level lower.
        Event::Start(Tag::Heading { level, .. }) => Event::Start(Tag::Heading {
            level: below(level),
            id: None,
            classes: Vec::new(),
            attrs: Vec::new(),
        }),
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(below(level))),
        other => other,
    })
}

const fn below(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H2,
        HeadingLevel::H2 => HeadingLevel::H3,
        HeadingLevel::H3 => HeadingLevel::H4,
        HeadingLevel::H4 => HeadingLevel::H5,
        HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

fn leads_somewhere_harmless(url: &str) -> bool {
    let lower = url.trim().to_ascii_lowercase();
    lower.starts_with("https://")
        || lower.starts_with("http://")
        || lower.starts_with("mailto:")
        || lower.starts_with('#')
        || (lower.starts_with('/') && !lower.starts_with("//"))
}

impl fmt::Display for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Rendered {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_cannot_carry_a_script_an_image_or_a_trick_link() {
        for (hostile, never) in [
            ("<script>alert(1)</script>", "<script"),
            ("hello <img src=x onerror=alert(1)>", "<img"),
            ("![track](https://elsewhere.example/p.gif)", "<img"),
            ("[click](javascript:alert(1))", "javascript:"),
            ("[click](JaVaScRiPt:alert(1))", "cript:alert"),
            ("[click](data:text/html;base64,AAAA)", "data:"),
            ("[click](//elsewhere.example)", "//elsewhere"),
        ] {
            let html = render(hostile).to_string();
            assert!(!html.to_lowercase().contains(never), "{hostile} became {html}");
        }
    }

    #[test]
    fn a_card_reads_as_written() {
        let html =
            render("# Use\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[doc](https://example.com)").to_string();
        assert!(
            html.contains("<h2>Use</h2>") && html.contains("<table>") && html.contains("https://example.com")
        );
    }

    #[test]
    fn a_card_too_long_is_cut_between_characters() {
        let html = render(&"é".repeat(BYTES_MAX)).to_string();
        assert!(html.len() < BYTES_MAX + 64);
    }
}
