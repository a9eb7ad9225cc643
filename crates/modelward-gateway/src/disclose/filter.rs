//! Writes an answer anew from what its list of fields allows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{FilterFault, Keep, Lens};
use crate::json::{Kind, Scanner, text_of, write_number_rounded, write_text};

/// Filters one whole document into `out`. On a fault `out` holds no byte of it.
pub(crate) fn document(keep: &Keep, lens: &Lens, text: &str, out: &mut Vec<u8>) -> Result<(), FilterFault> {
    let mark = out.len();
    let mut scanner = Scanner::answer(text);
    let filtered = value(keep, lens, &mut scanner, out).and_then(|kept| {
        scanner.end()?;
        if kept { Ok(()) } else { Err(FilterFault::Kind) }
    });
    if filtered.is_err() {
        out.truncate(mark);
    }
    filtered
}

/// Filters the next value. Says whether anything of it was kept; where not, `out` may hold a part to be cut off.
fn value(
    keep: &Keep,
    lens: &Lens,
    scanner: &mut Scanner<'_>,
    out: &mut Vec<u8>,
) -> Result<bool, FilterFault> {
    let kind = scanner.peek()?;
    if !keep.takes(kind) {
        scanner.value()?;
        return Ok(false);
    }
    match keep {
        Keep::Text | Keep::Bool | Keep::Null => {
            out.extend_from_slice(scanner.value()?.as_bytes());
            Ok(true)
        }
        Keep::Number => {
            number(lens, scanner.value()?, out);
            Ok(true)
        }
        Keep::Object(members) => {
            out.push(b'{');
            object(members, lens, scanner, out, |_, _| {})?;
            out.push(b'}');
            Ok(true)
        }
        Keep::List(item) => list(item, lens, scanner, out, usize::MAX),
        Keep::Alternatives(item) => list(item, lens, scanner, out, lens.alternatives()),
        Keep::AlternativesByKey(item) => by_key(item, lens, scanner, out),
        Keep::Held(field, keep) => {
            if lens.held.contains(field) {
                return value(keep, lens, scanner, out);
            }
            scanner.value()?;
            Ok(false)
        }
        Keep::Either(keeps) => match keeps.iter().find(|keep| keep.takes(kind)) {
            Some(keep) => value(keep, lens, scanner, out),
            None => {
                scanner.value()?;
                Ok(false)
            }
        },
        Keep::PublicName => {
            scanner.value()?;
            write_text(out, &lens.public_name);
            Ok(true)
        }
        Keep::SameModel => {
            if text_of(scanner.value()?).as_deref() != Some(&lens.upstream_name) {
                return Err(FilterFault::OtherModel);
            }
            write_text(out, &lens.public_name);
            Ok(true)
        }
        Keep::SameVersion => match text_of(scanner.value()?).as_deref() {
            // Servers that know no versions say nothing, and that is no contradiction.
            None | Some("") => Ok(false),
            Some(version) if version == lens.version => {
                write_text(out, version);
                Ok(true)
            }
            Some(_) => Err(FilterFault::OtherVersion),
        },
        Keep::Output(members) => {
            let mut is_released = false;
            out.push(b'{');
            object(members, lens, scanner, out, |key, raw| {
                if key == "name" {
                    let name = text_of(raw);
                    let names = lens.released.as_ref();
                    is_released =
                        name.is_some_and(|name| names.is_none_or(|names| names.contains(name.as_ref())));
                }
            })?;
            out.push(b'}');
            Ok(is_released)
        }
        Keep::Typed(field, types, members) => {
            let mut is_kept = true;
            out.push(b'{');
            object(members, lens, scanner, out, |key, raw| {
                if key == "type" && !lens.held.contains(field) {
                    is_kept = text_of(raw).is_some_and(|kind| !types.contains(&kind.as_ref()));
                }
            })?;
            out.push(b'}');
            Ok(is_kept)
        }
        Keep::Tensor => tensor(lens, scanner, out),
        Keep::Vector => vector(lens, scanner, out),
        Keep::Failure => {
            if kind == Kind::Null {
                scanner.value()?;
                return Ok(false);
            }
            Err(FilterFault::Failed)
        }
    }
}

/// Filters the members between the braces. `seen` hears of each kept member as it was written.
fn object(
    members: &'static [(&'static str, Keep)],
    lens: &Lens,
    scanner: &mut Scanner<'_>,
    out: &mut Vec<u8>,
    mut seen: impl FnMut(&str, &str),
) -> Result<(), FilterFault> {
    let mut is_first = true;
    scanner.object(|scanner, key| {
        let Some((name, keep)) = members.iter().find(|(name, _)| *name == key) else {
            scanner.value()?;
            return Ok(());
        };
        let mark = out.len();
        if !is_first {
            out.push(b',');
        }
        // Names of listed fields need no escapes.
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        let from = out.len();
        if value(keep, lens, scanner, out)? {
            is_first = false;
            let written = out.get(from..).and_then(|raw| std::str::from_utf8(raw).ok());
            seen(name, written.unwrap_or_default());
        } else {
            out.truncate(mark);
        }
        Ok(())
    })
}

fn list(
    item: &'static Keep,
    lens: &Lens,
    scanner: &mut Scanner<'_>,
    out: &mut Vec<u8>,
    max: usize,
) -> Result<bool, FilterFault> {
    let mut count = 0_usize;
    out.push(b'[');
    scanner.list(|scanner| {
        if count >= max {
            scanner.value()?;
            return Ok(());
        }
        let mark = out.len();
        if count > 0 {
            out.push(b',');
        }
        if value(item, lens, scanner, out)? {
            count += 1;
        } else {
            out.truncate(mark);
        }
        Ok::<(), FilterFault>(())
    })?;
    out.push(b']');
    Ok(true)
}

fn by_key(
    item: &'static Keep,
    lens: &Lens,
    scanner: &mut Scanner<'_>,
    out: &mut Vec<u8>,
) -> Result<bool, FilterFault> {
    let mut count = 0_usize;
    out.push(b'{');
    scanner.object(|scanner, key| {
        if count >= lens.alternatives() {
            scanner.value()?;
            return Ok(());
        }
        let mark = out.len();
        if count > 0 {
            out.push(b',');
        }
        write_text(out, key);
        out.push(b':');
        if value(item, lens, scanner, out)? {
            count += 1;
        } else {
            out.truncate(mark);
        }
        Ok::<(), FilterFault>(())
    })?;
    out.push(b'}');
    Ok(true)
}

fn tensor(lens: &Lens, scanner: &mut Scanner<'_>, out: &mut Vec<u8>) -> Result<bool, FilterFault> {
    out.push(b'[');
    let mut is_first = true;
    scanner.list(|scanner| {
        let mark = out.len();
        if !is_first {
            out.push(b',');
        }
        let kept = match scanner.peek()? {
            Kind::List => tensor(lens, scanner, out)?,
            Kind::Number => {
                number(lens, scanner.value()?, out);
                true
            }
            Kind::Bool | Kind::Text | Kind::Null => {
                out.extend_from_slice(scanner.value()?.as_bytes());
                true
            }
            Kind::Object => {
                scanner.value()?;
                false
            }
        };
        if kept {
            is_first = false;
        } else {
            out.truncate(mark);
        }
        Ok::<(), FilterFault>(())
    })?;
    out.push(b']');
    Ok(true)
}

fn vector(lens: &Lens, scanner: &mut Scanner<'_>, out: &mut Vec<u8>) -> Result<bool, FilterFault> {
    if scanner.peek()? == Kind::List {
        return list(&Keep::Number, lens, scanner, out, usize::MAX);
    }
    let raw = scanner.value()?;
    let Some(decimals) = lens.round else {
        out.extend_from_slice(raw.as_bytes());
        return Ok(true);
    };
    // The rounding must hold in this spelling too: little-endian floats in base64.
    let packed = text_of(raw).and_then(|text| STANDARD.decode(text.as_bytes()).ok());
    let Some(packed) = packed.filter(|packed| packed.len() % 4 == 0) else { return Ok(false) };
    let factor = 10_f64.powi(i32::from(decimals));
    let mut rounded = Vec::with_capacity(packed.len());
    for four in packed.chunks_exact(4) {
        let Ok(bytes) = <[u8; 4]>::try_from(four) else { return Ok(false) };
        let number = f64::from(f32::from_le_bytes(bytes));
        rounded.extend_from_slice(&narrow((number * factor).round() / factor).to_le_bytes());
    }
    write_text(out, &STANDARD.encode(rounded));
    Ok(true)
}

#[expect(clippy::cast_possible_truncation, reason = "the nearest single is what the format holds")]
const fn narrow(number: f64) -> f32 {
    number as f32
}

fn number(lens: &Lens, raw: &str, out: &mut Vec<u8>) {
    match lens.round {
        Some(decimals) => write_number_rounded(out, raw, decimals),
        None => out.extend_from_slice(raw.as_bytes()),
    }
}

impl Keep {
    /// Whether a value of this kind can be kept so.
    fn takes(&self, kind: Kind) -> bool {
        match self {
            Self::Text | Self::PublicName | Self::SameModel => kind == Kind::Text,
            Self::SameVersion => matches!(kind, Kind::Text | Kind::Null),
            Self::Number => kind == Kind::Number,
            Self::Bool => kind == Kind::Bool,
            Self::Null => kind == Kind::Null,
            Self::Object(_) | Self::AlternativesByKey(_) | Self::Output(_) | Self::Typed(..) => {
                kind == Kind::Object
            }
            Self::List(_) | Self::Alternatives(_) | Self::Tensor => kind == Kind::List,
            Self::Vector => matches!(kind, Kind::List | Kind::Text),
            Self::Held(_, keep) => keep.takes(kind),
            Self::Either(keeps) => keeps.iter().any(|keep| keep.takes(kind)),
            Self::Failure => true,
        }
    }
}

impl Lens {
    fn alternatives(&self) -> usize {
        self.top_k.map_or(usize::MAX, usize::from)
    }
}
