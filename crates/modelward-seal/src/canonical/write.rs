//! The canonical serializer.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Display;
use std::io::Write as _;
use std::ops::Range;

use serde::Serialize;
use serde::ser::{self, Serializer};

/// The largest integer that every JSON reader holds exactly: 2⁵³ − 1.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// 2⁵³ as a double.
const INTEGER_LIMIT: f64 = 9_007_199_254_740_992.0;

const DEPTH_MAX: usize = 100;
/// Room made ahead for members, whatever a type says of itself.
const MEMBERS_EXPECTED_MAX: usize = 64;

/// Why a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    #[error("a number is infinite or not a number")]
    NotFinite,
    #[error("the integer {value} is beyond ±(2^53 - 1); write it as a string")]
    IntegerTooLarge { value: String },
    #[error("an object key is not a string")]
    KeyNotString,
    #[error("the key `{key}` stands twice in one object")]
    DuplicateKey { key: String },
    #[error("nesting deeper than {DEPTH_MAX}")]
    TooDeep,
    #[error("{0}")]
    Custom(String),
}

impl ser::Error for CanonicalError {
    fn custom<T: Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

/// Serializes to canonical bytes.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::with_capacity(256);
    write_to(&mut out, value)?;
    Ok(out)
}

/// Serializes to canonical bytes, as text.
pub fn to_string<T: Serialize + ?Sized>(value: &T) -> Result<String, CanonicalError> {
    String::from_utf8(to_vec(value)?).map_err(|error| CanonicalError::Custom(error.to_string()))
}

/// Appends canonical bytes to `out`. After an error `out` holds a part of them.
pub fn write_to<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), CanonicalError> {
    value.serialize(Writer { out, depth: 0 })
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
}

type Done = Result<(), CanonicalError>;

impl<'a> Writer<'a> {
    fn raw(self, text: &str) -> Done {
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn descend(&self) -> Result<usize, CanonicalError> {
        if self.depth >= DEPTH_MAX {
            return Err(CanonicalError::TooDeep);
        }
        Ok(self.depth.saturating_add(1))
    }

    fn list(self) -> Result<List<'a>, CanonicalError> {
        let depth = self.descend()?;
        self.out.push(b'[');
        Ok(List { out: self.out, depth, first: true, close: "]" })
    }

    /// `length` is how many members are expected.
    fn object(self, length: usize) -> Result<Object<'a>, CanonicalError> {
        let depth = self.descend()?;
        self.out.push(b'{');
        let start = self.out.len();
        let members = Vec::with_capacity(length.min(MEMBERS_EXPECTED_MAX));
        Ok(Object { out: self.out, depth, start, members, key: None, close: "}" })
    }

    /// `{"Variant":` around what follows; the caller's `close` ends it.
    fn variant(self, name: &str) -> Self {
        self.out.push(b'{');
        write_string(self.out, name);
        self.out.push(b':');
        Self { out: self.out, depth: self.depth.saturating_add(1) }
    }
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
        out.push(b'"');
        return;
    }
    let mut plain_from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if !needs_escape(*byte) {
            continue;
        }
        out.extend_from_slice(bytes.get(plain_from..at).unwrap_or_default());
        plain_from = at.saturating_add(1);
        write_escaped(out, *byte);
    }
    out.extend_from_slice(bytes.get(plain_from..).unwrap_or_default());
    out.push(b'"');
}

/// Whether nothing needs an escape. Looks at many bytes at once, so without leaving early inside a chunk.
fn is_plain(bytes: &[u8]) -> bool {
    bytes.chunks(64).all(|chunk| !chunk.iter().fold(false, |found, byte| found | needs_escape(*byte)))
}

const fn needs_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0x00..=0x1f)
}

fn write_escaped(out: &mut Vec<u8>, byte: u8) {
    match byte {
        0x08 => out.extend_from_slice(b"\\b"),
        0x09 => out.extend_from_slice(b"\\t"),
        0x0a => out.extend_from_slice(b"\\n"),
        0x0c => out.extend_from_slice(b"\\f"),
        0x0d => out.extend_from_slice(b"\\r"),
        0x00..=0x1f => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(b"\\u00");
            out.extend(HEX.get(usize::from(byte >> 4)));
            out.extend(HEX.get(usize::from(byte & 15)));
        }
        _ => out.extend_from_slice(&[b'\\', byte]),
    }
}

fn write_integer(out: &mut Vec<u8>, value: i128) -> Done {
    if value.unsigned_abs() > u128::from(INTEGER_MAX) {
        return Err(CanonicalError::IntegerTooLarge { value: value.to_string() });
    }
    write!(out, "{value}").map_err(|error| CanonicalError::Custom(error.to_string()))
}

impl<'a> Serializer for Writer<'a> {
    type Ok = ();
    type Error = CanonicalError;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Object<'a>;
    type SerializeStruct = Object<'a>;
    type SerializeStructVariant = Object<'a>;

    fn serialize_bool(self, value: bool) -> Done {
        self.raw(if value { "true" } else { "false" })
    }
    fn serialize_i8(self, value: i8) -> Done {
        write_integer(self.out, value.into())
    }
    fn serialize_i16(self, value: i16) -> Done {
        write_integer(self.out, value.into())
    }
    fn serialize_i32(self, value: i32) -> Done {
        write_integer(self.out, value.into())
    }
    fn serialize_i64(self, value: i64) -> Done {
        write_integer(self.out, value.into())
    }
    fn serialize_i128(self, value: i128) -> Done {
        write_integer(self.out, value)
    }
    fn serialize_u8(self, value: u8) -> Done {
        write_integer(self.out, value.into())
    }
    fn serialize_u16(self, value: u16) -> Done {
        write_integer(self.out, value.into())
    }
    fn serialize_u32(self, value: u32) -> Done {
        write_integer(self.out, value.into())
    }
    fn serialize_u64(self, value: u64) -> Done {
        write_integer(self.out, value.into())
    }
    fn serialize_u128(self, value: u128) -> Done {
        let value = i128::try_from(value)
            .map_err(|_| CanonicalError::IntegerTooLarge { value: value.to_string() })?;
        write_integer(self.out, value)
    }
    fn serialize_f32(self, value: f32) -> Done {
        self.serialize_f64(value.into())
    }
    fn serialize_f64(self, value: f64) -> Done {
        if !value.is_finite() {
            return Err(CanonicalError::NotFinite);
        }
        let mut buffer = ryu_js::Buffer::new();
        // Up to 1e21 ECMAScript prints digits only, which would read back as another integer.
        if value.abs() >= INTEGER_LIMIT && value.abs() < 1e21 {
            return Err(CanonicalError::IntegerTooLarge { value: buffer.format_finite(value).to_owned() });
        }
        self.raw(buffer.format_finite(value))
    }
    fn serialize_char(self, value: char) -> Done {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }
    fn serialize_str(self, value: &str) -> Done {
        write_string(self.out, value);
        Ok(())
    }
    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.collect_seq(value)
    }
    fn serialize_none(self) -> Done {
        self.raw("null")
    }
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Done {
        self.raw("null")
    }
    fn serialize_unit_struct(self, _name: &'static str) -> Done {
        self.raw("null")
    }
    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Done {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        self.descend()?;
        let inner = self.variant(variant);
        let depth = inner.depth;
        value.serialize(Writer { out: &mut *inner.out, depth })?;
        inner.out.push(b'}');
        Ok(())
    }
    fn serialize_seq(self, _len: Option<usize>) -> Result<List<'a>, CanonicalError> {
        self.list()
    }
    fn serialize_tuple(self, _len: usize) -> Result<List<'a>, CanonicalError> {
        self.list()
    }
    fn serialize_tuple_struct(self, _name: &'static str, _len: usize) -> Result<List<'a>, CanonicalError> {
        self.list()
    }
    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<List<'a>, CanonicalError> {
        Ok(List { close: "]}", ..self.variant(variant).list()? })
    }
    fn serialize_map(self, len: Option<usize>) -> Result<Object<'a>, CanonicalError> {
        self.object(len.unwrap_or(0))
    }
    fn serialize_struct(self, _name: &'static str, len: usize) -> Result<Object<'a>, CanonicalError> {
        self.object(len)
    }
    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Object<'a>, CanonicalError> {
        Ok(Object { close: "}}", ..self.variant(variant).object(len)? })
    }
}

struct List<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    first: bool,
    close: &'static str,
}

impl List<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        value.serialize(Writer { out: &mut *self.out, depth: self.depth })
    }

    fn finish(self) -> Done {
        self.out.extend_from_slice(self.close.as_bytes());
        Ok(())
    }
}

/// Writes members as they come and puts them in order at the end, if they came out of order.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
    /// Where the first member begins in `out`.
    start: usize,
    /// Key and the range of `"key":value` in `out`.
    members: Vec<(Cow<'static, str>, Range<usize>)>,
    key: Option<String>,
    close: &'static str,
}

impl Object<'_> {
    fn member<T: Serialize + ?Sized>(&mut self, key: Cow<'static, str>, value: &T) -> Done {
        if !self.members.is_empty() {
            self.out.push(b',');
        }
        let begin = self.out.len();
        write_string(self.out, &key);
        self.out.push(b':');
        value.serialize(Writer { out: &mut *self.out, depth: self.depth })?;
        self.members.push((key, begin..self.out.len()));
        Ok(())
    }

    fn finish(mut self) -> Done {
        if !self.members.is_sorted_by(|(a, _), (b, _)| order(a, b).is_lt()) {
            self.members.sort_by(|(a, _), (b, _)| order(a, b));
            for ((first, _), (second, _)) in self.members.iter().zip(self.members.iter().skip(1)) {
                if first == second {
                    return Err(CanonicalError::DuplicateKey { key: first.to_string() });
                }
            }
            let mut sorted = Vec::with_capacity(self.out.len().saturating_sub(self.start));
            for (_, range) in &self.members {
                if !sorted.is_empty() {
                    sorted.push(b',');
                }
                sorted.extend_from_slice(self.out.get(range.clone()).unwrap_or_default());
            }
            self.out.truncate(self.start);
            self.out.append(&mut sorted);
        }
        self.out.extend_from_slice(self.close.as_bytes());
        Ok(())
    }
}

/// RFC 8785 section 3.2.3: by UTF-16 code units, which differs from the order of bytes above U+FFFF.
fn order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

macro_rules! list_impl {
    ($($trait:ident :: $method:ident),*) => {$(
        impl ser::$trait for List<'_> {
            type Ok = ();
            type Error = CanonicalError;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.item(value)
            }
            fn end(self) -> Done {
                self.finish()
            }
        }
    )*};
}
list_impl!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

macro_rules! object_impl {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Object<'_> {
            type Ok = ();
            type Error = CanonicalError;
            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Done {
                self.member(Cow::Borrowed(key), value)
            }
            fn end(self) -> Done {
                self.finish()
            }
        }
    )*};
}
object_impl!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Object<'_> {
    type Ok = ();
    type Error = CanonicalError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        let value = serde_json::to_value(key).map_err(|error| CanonicalError::Custom(error.to_string()))?;
        self.key = Some(match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
            serde_json::Value::Bool(flag) => flag.to_string(),
            _ => return Err(CanonicalError::KeyNotString),
        });
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        let key = self.key.take().ok_or(CanonicalError::KeyNotString)?;
        self.member(Cow::Owned(key), value)
    }

    fn end(self) -> Done {
        self.finish()
    }
}
