//! Cutting an entry to its bounds, leaving a digest of whatever was cut.

use modelward_seal::Digest;
use modelward_seal::canonical;
use serde_json::{Value, json};

use super::{DraftError, ENTRY_BYTES_MAX, Entry};

const NAME_BYTES_MAX: usize = 128;
const TEXT_BYTES_MAX: usize = 512;
const VALUE_BYTES_MAX: usize = 1024;
const DETAILS_MAX: usize = 32;
const KEY_BYTES_MAX: usize = 64;
const LIST_MAX: usize = 32;
const DEPTH_MAX: usize = 8;
/// Most entries are shorter.
const BYTES_EXPECTED: usize = 2048;

/// Bounds every field, then the whole, and gives the canonical bytes.
pub(crate) fn fit(entry: &mut Entry) -> Result<Vec<u8>, DraftError> {
    name("id", &entry.id)?;
    if let Some(event) = &entry.event {
        name("event", event)?;
    }
    if let Some(intent) = &entry.intent {
        name("intent.id", &intent.id)?;
    }
    bound_texts(entry);
    bound_lists(entry)?;
    bound_details(entry)?;
    let mut bytes = Vec::with_capacity(BYTES_EXPECTED);
    canonical::write_to(&mut bytes, entry)?;
    // The parts that can be long all at once go whole, the least needed first.
    for cut in [cut_details, cut_obligations, cut_facts] {
        if bytes.len() <= ENTRY_BYTES_MAX {
            break;
        }
        cut(entry)?;
        bytes = canonical::to_vec(entry)?;
    }
    if bytes.len() > ENTRY_BYTES_MAX {
        return Err(DraftError::TooLarge { bytes: bytes.len() });
    }
    Ok(bytes)
}

fn name(field: &'static str, value: &str) -> Result<(), DraftError> {
    if value.is_empty() || value.len() > NAME_BYTES_MAX {
        return Err(DraftError::BadName { field, max: NAME_BYTES_MAX });
    }
    Ok(())
}

fn bound_texts(entry: &mut Entry) {
    let Entry { action, outcome, rationale, grant, resource, truncated, .. } = entry;
    let mut bound = |field: &str, text: &mut String| {
        if text.len() > TEXT_BYTES_MAX {
            truncated.insert(field.to_owned(), Digest::of(text.as_bytes()));
            text.truncate(floor_char_boundary(text, TEXT_BYTES_MAX));
        }
    };
    for (field, text) in
        [("action", action), ("outcome", outcome), ("rationale", rationale), ("grant", grant)]
    {
        if let Some(text) = text {
            bound(field, text);
        }
    }
    if let Some(resource) = resource {
        bound("resource.id", &mut resource.id);
        bound("resource.type", &mut resource.kind);
        if let Some(version) = &mut resource.version {
            bound("resource.version", version);
        }
    }
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

fn bound_lists(entry: &mut Entry) -> Result<(), DraftError> {
    let long =
        entry.determining.len() > LIST_MAX || entry.determining.iter().any(|id| id.len() > NAME_BYTES_MAX);
    if long {
        entry.truncated.insert("determining".to_owned(), Digest::of_canonical(&entry.determining)?);
        entry.determining.truncate(LIST_MAX);
        for id in &mut entry.determining {
            id.truncate(floor_char_boundary(id, NAME_BYTES_MAX.min(id.len())));
        }
    }
    for obligation in &entry.obligations {
        check_value("obligations", obligation, 0)?;
    }
    let size: usize = entry.obligations.len();
    if size > LIST_MAX {
        cut_obligations(entry)?;
    }
    Ok(())
}

fn bound_details(entry: &mut Entry) -> Result<(), DraftError> {
    for (key, value) in &mut entry.details {
        if key.len() > KEY_BYTES_MAX {
            return Err(DraftError::LongKey { key: key.chars().take(KEY_BYTES_MAX).collect() });
        }
        if is_plainly_short(value) {
            continue;
        }
        let field = format!("details.{key}");
        check_value(&field, value, 0)?;
        let bytes = canonical::to_vec(value)?;
        if bytes.len() <= VALUE_BYTES_MAX {
            continue;
        }
        entry.truncated.insert(field, Digest::of(&bytes));
        *value = match value {
            Value::String(text) => {
                text.truncate(floor_char_boundary(text, TEXT_BYTES_MAX.min(text.len())));
                Value::String(std::mem::take(text))
            }
            _ => json!({ "truncated": true }),
        };
    }
    if entry.details.len() > DETAILS_MAX {
        cut_details(entry)?;
    }
    Ok(())
}

/// Whether a value is within its bound however it is written; each byte of a text takes at most six.
fn is_plainly_short(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) => true,
        Value::Number(number) => !number.is_f64(),
        Value::String(text) => text.len() <= VALUE_BYTES_MAX / 8,
        Value::Array(_) | Value::Object(_) => false,
    }
}

fn check_value(field: &str, value: &Value, depth: usize) -> Result<(), DraftError> {
    if depth > DEPTH_MAX {
        return Err(DraftError::TooDeep { field: field.to_owned() });
    }
    let next = depth.saturating_add(1);
    match value {
        Value::Number(number) if number.is_f64() => Err(DraftError::Float { field: field.to_owned() }),
        Value::Array(items) => items.iter().try_for_each(|item| check_value(field, item, next)),
        Value::Object(map) => map.values().try_for_each(|item| check_value(field, item, next)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn cut_details(entry: &mut Entry) -> Result<(), DraftError> {
    entry.truncated.retain(|field, _| !field.starts_with("details."));
    entry.truncated.insert("details".to_owned(), Digest::of_canonical(&entry.details)?);
    entry.details = [("truncated".to_owned(), Value::Bool(true))].into();
    Ok(())
}

fn cut_obligations(entry: &mut Entry) -> Result<(), DraftError> {
    entry.truncated.insert("obligations".to_owned(), Digest::of_canonical(&entry.obligations)?);
    entry.obligations = vec![json!({ "truncated": true })];
    Ok(())
}

fn cut_facts(entry: &mut Entry) -> Result<(), DraftError> {
    if let Some(facts) = &mut entry.facts
        && facts.sealed.take().is_some()
    {
        entry.truncated.insert("facts".to_owned(), facts.digest);
    }
    Ok(())
}
