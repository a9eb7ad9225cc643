//! The console's own style sheet and script, under names that change with their content.

use std::sync::LazyLock;

use modelward_seal::Digest;

const STYLE: &[u8] = include_bytes!("../../assets/console.css");
const SCRIPT: &[u8] = include_bytes!("../../assets/console.js");
const ICON: &[u8] = include_bytes!("../../assets/icon.svg");

static NAMES: LazyLock<Paths> = LazyLock::new(|| Paths {
    style: named("console", "css", STYLE),
    script: named("console", "js", SCRIPT),
    icon: named("icon", "svg", ICON),
});

/// Where the assets are, each under the digest of its bytes.
#[derive(Debug, Clone)]
pub struct Paths {
    pub style: String,
    pub script: String,
    pub icon: String,
}

/// An asset to be sent: it never changes under its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    pub media_type: &'static str,
    pub bytes: &'static [u8],
}

pub fn paths() -> Paths {
    NAMES.clone()
}

/// The asset of that path, with the digest it was asked for by.
pub fn find(path: &str) -> Option<Asset> {
    let names = &*NAMES;
    let known = [
        (&names.style, Asset { media_type: "text/css; charset=utf-8", bytes: STYLE }),
        (&names.script, Asset { media_type: "text/javascript; charset=utf-8", bytes: SCRIPT }),
        (&names.icon, Asset { media_type: "image/svg+xml", bytes: ICON }),
    ];
    known.into_iter().find(|(name, _)| *name == path).map(|(_, asset)| asset)
}

fn named(stem: &str, extension: &str, bytes: &[u8]) -> String {
    let digest: String =
        Digest::of(bytes).to_string().trim_start_matches("sha256:").chars().take(16).collect();
    format!("/assets/{stem}.{digest}.{extension}")
}
