//! A document of headings, paragraphs and lists, as Markdown or as one page of HTML that needs nothing else.
//!
//! Texts carry two marks of their own, `**` for what stands out and backticks for names; everything else is plain and is
//! escaped, whoever wrote it.

use crate::markup::escape;

/// One piece of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    Heading { level: u8, text: String },
    Paragraph(String),
    List { intro: String, items: Vec<String> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    title: String,
    blocks: Vec<Block>,
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;\
                     background:#fff}h2{border-bottom:1px solid #d0d7de;padding-bottom:.3rem;margin-top:2.5rem}\
                     code{font:.9em ui-monospace,monospace;background:#eef1f4;padding:.1em .3em;border-radius:3px;\
                     overflow-wrap:anywhere}@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}\
                     code{background:#21262d}h2{border-color:#30363d}}";

impl Document {
    pub(super) const fn new(title: String) -> Self {
        Self { title, blocks: Vec::new() }
    }

    pub(super) fn heading(&mut self, level: u8, text: impl Into<String>) {
        self.blocks.push(Block::Heading { level, text: text.into() });
    }

    pub(super) fn paragraph(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Paragraph(text.into()));
    }

    /// A list, or one sentence where it would be empty.
    pub(super) fn list(&mut self, intro: &str, items: impl IntoIterator<Item = String>, otherwise: &str) {
        let items: Vec<String> = items.into_iter().collect();
        if items.is_empty() {
            self.paragraph(format!("{intro} {otherwise}"));
        } else {
            self.blocks.push(Block::List { intro: intro.to_owned(), items });
        }
    }

    pub fn title(&self) -> &str {
        &self.title
    }

    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {}\n", inline(&self.title, &MARKDOWN));
        for block in &self.blocks {
            text += &match block {
                Block::Heading { level, text } => {
                    format!("\n{} {}\n", "#".repeat(usize::from(*level)), inline(text, &MARKDOWN))
                }
                Block::Paragraph(text) => format!("\n{}\n", inline(text, &MARKDOWN)),
                Block::List { intro, items } => {
                    let items: String =
                        items.iter().map(|item| format!("- {}\n", inline(item, &MARKDOWN))).collect();
                    format!("\n{}\n\n{items}", inline(intro, &MARKDOWN))
                }
            };
        }
        text
    }

    pub fn to_html(&self) -> String {
        let title = escape(&self.title);
        let mut text = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width,initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>{title}</title>\n<style>{STYLE}</style>\n\
             </head>\n<body>\n<h1>{title}</h1>\n"
        );
        for block in &self.blocks {
            text += &match block {
                Block::Heading { level, text } => format!("<h{level}>{}</h{level}>\n", inline(text, &HTML)),
                Block::Paragraph(text) => format!("<p>{}</p>\n", inline(text, &HTML)),
                Block::List { intro, items } => {
                    let items: String =
                        items.iter().map(|item| format!("<li>{}</li>\n", inline(item, &HTML))).collect();
                    format!("<p>{}</p>\n<ul>\n{items}</ul>\n", inline(intro, &HTML))
                }
            };
        }
        text + "</body>\n</html>\n"
    }
}

/// How a language writes our two marks, and plain text.
struct Language {
    strong: (&'static str, &'static str),
    code: (&'static str, &'static str),
    plain: fn(&str) -> String,
    verbatim: fn(&str) -> String,
}

const MARKDOWN: Language = Language {
    strong: ("**", "**"),
    code: ("`", "`"),
    plain: crate::markup::markdown,
    verbatim: |text| text.replace(['\n', '\r'], " "),
};

const HTML: Language = Language {
    strong: ("<strong>", "</strong>"),
    code: ("<code>", "</code>"),
    plain: escape,
    verbatim: escape,
};

fn inline(text: &str, language: &Language) -> String {
    let mut written = String::new();
    let mut parts = text.split('`').peekable();
    let mut in_code = false;
    while let Some(part) = parts.next() {
        // A backtick without a partner is a backtick.
        let closed = parts.peek().is_some();
        match in_code {
            true if closed => {
                let (open, close) = language.code;
                written += &format!("{open}{}{close}", (language.verbatim)(part));
            }
            true => written += &(language.plain)(&format!("`{part}")),
            false => written += &emphasis(part, language),
        }
        in_code = !in_code;
    }
    written
}

fn emphasis(text: &str, language: &Language) -> String {
    let (open, close) = language.strong;
    match text.split_once("**").and_then(|(before, rest)| Some((before, rest.split_once("**")?))) {
        None => (language.plain)(text),
        Some((before, (strong, after))) => format!(
            "{}{open}{}{close}{}",
            (language.plain)(before),
            (language.plain)(strong),
            emphasis(after, language)
        ),
    }
}
