//! Resource paths of C2SP tlog-tiles.

use std::fmt;
use std::str::FromStr;

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// One resource of a tiled log. A width of 256 is the full tile; smaller widths print as `.p/<width>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TilePath {
    Checkpoint,
    Hashes { level: u8, index: u64, width: u16 },
    Entries { index: u64, width: u16 },
}

/// Why a path names nothing in a tiled log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{path}` is not a path of a tiled log")]
pub struct TilePathError {
    pub path: String,
}

impl TilePath {
    /// The same tile at another width.
    pub const fn at_width(self, width: u16) -> Self {
        match self {
            Self::Checkpoint => self,
            Self::Hashes { level, index, width: _ } => Self::Hashes { level, index, width },
            Self::Entries { index, width: _ } => Self::Entries { index, width },
        }
    }

    /// The same tile at full width.
    pub const fn full(self) -> Self {
        self.at_width(TILE_WIDTH)
    }

    pub const fn is_partial(self) -> bool {
        match self {
            Self::Checkpoint => false,
            Self::Hashes { width, .. } | Self::Entries { width, .. } => width < TILE_WIDTH,
        }
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, width) = match self {
            Self::Checkpoint => return f.write_str("checkpoint"),
            Self::Hashes { level, index, width } => {
                write!(f, "tile/{level}/")?;
                (*index, *width)
            }
            Self::Entries { index, width } => {
                f.write_str("tile/entries/")?;
                (*index, *width)
            }
        };
        write_index(f, index)?;
        if width < TILE_WIDTH { write!(f, ".p/{width}") } else { Ok(()) }
    }
}

/// 1234067 is written `x001/x234/067`.
fn write_index(f: &mut fmt::Formatter<'_>, index: u64) -> fmt::Result {
    let mut groups = vec![index % 1000];
    let mut rest = index / 1000;
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    while let Some(group) = groups.pop() {
        if groups.is_empty() {
            write!(f, "{group:03}")?;
        } else {
            write!(f, "x{group:03}/")?;
        }
    }
    Ok(())
}

impl FromStr for TilePath {
    type Err = TilePathError;

    /// Accepts exactly what `Display` prints: no leading zeros beyond the groups, no dots, no empty parts.
    fn from_str(path: &str) -> Result<Self, TilePathError> {
        let parsed = parse(path).filter(|tile| tile.to_string() == path);
        parsed.ok_or_else(|| TilePathError { path: path.chars().take(120).collect() })
    }
}

fn parse(path: &str) -> Option<TilePath> {
    if path == "checkpoint" {
        return Some(TilePath::Checkpoint);
    }
    if path.len() > 100 {
        return None;
    }
    let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => (number, width.parse().ok().filter(|w| (1..TILE_WIDTH).contains(w))?),
        None => (rest, TILE_WIDTH),
    };
    let mut index = 0_u64;
    for group in number.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        let value: u64 = digits.parse().ok().filter(|_| digits.len() == 3)?;
        index = index.checked_mul(1000)?.checked_add(value)?;
    }
    if kind == "entries" {
        return Some(TilePath::Entries { index, width });
    }
    let level = kind.parse().ok().filter(|level| *level < 64)?;
    Some(TilePath::Hashes { level, index, width })
}
