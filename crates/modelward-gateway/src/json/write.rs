//! Writing what we say ourselves, and numbers that may keep only so many decimals.

/// Appends `text` as a JSON text, quotes and escapes included.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for one in text.chars() {
        match one {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            control if control < ' ' => {
                out.extend_from_slice(format!("\\u{:04x}", u32::from(control)).as_bytes());
            }
            plain => out.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

/// Appends a checked number with at most `decimals` decimals; an integer stays as it came.
pub(crate) fn write_number_rounded(out: &mut Vec<u8>, raw: &str, decimals: u8) {
    let is_integer = raw.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if is_integer {
        out.extend_from_slice(raw.as_bytes());
        return;
    }
    let number: f64 = raw.parse().unwrap_or_default();
    let rounded = format!("{number:.places$}", places = usize::from(decimals));
    let trimmed = match rounded.contains('.') {
        true => rounded.trim_end_matches('0').trim_end_matches('.'),
        false => rounded.as_str(),
    };
    let plain = if trimmed == "-0" { "0" } else { trimmed };
    out.extend_from_slice(plain.as_bytes());
}
