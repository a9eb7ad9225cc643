//! Pages of a search: how many results, and from where on.
//!
//! A token says where the page before ended and which search it was, so that nothing is kept between pages. It gives no
//! right: what follows is decided anew, for whoever asks.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use modelward_seal::Digest;
use serde_json::{Map, Value};

use super::problem::Problem;

/// Results of one page, where the caller does not say or says more.
const LIMIT_MAX: usize = 100;

const CURSOR: usize = 16;
const MARK: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) limit: usize,
    /// The id after which it begins.
    pub(super) after: Option<u128>,
    search: [u8; MARK],
}

impl Page {
    /// Reads `page` of a request. `path` and `caller` are a part of what must be the same from page to page.
    pub(super) fn read(request: &Map<String, Value>, path: &str, caller: &str) -> Result<Self, Problem> {
        let search = mark(request, path, caller);
        let mut read = Self { limit: LIMIT_MAX, after: None, search };
        let page = match request.get("page") {
            None => return Ok(read),
            Some(Value::Object(page)) => page,
            Some(_) => return Err(Problem::malformed("`page` must be an object")),
        };
        if let Some(limit) = page.get("limit") {
            let wrong = || Problem::malformed("`page.limit` must be a whole number above zero");
            let asked = limit.as_u64().filter(|limit| *limit > 0).ok_or_else(wrong)?;
            read.limit = usize::try_from(asked).unwrap_or(LIMIT_MAX).min(LIMIT_MAX);
        }
        match page.get("token") {
            None => {}
            Some(Value::String(token)) if token.is_empty() => {}
            Some(Value::String(token)) => read.after = Some(read.open(token)?),
            Some(_) => return Err(Problem::malformed("`page.token` must be a string")),
        }
        match page.get("properties") {
            None | Some(Value::Object(_)) => Ok(read),
            Some(_) => Err(Problem::malformed("`page.properties` must be an object")),
        }
    }

    /// The token of the page that begins after `last`.
    pub(super) fn token(&self, last: u128) -> String {
        let bytes: Vec<u8> = last.to_be_bytes().into_iter().chain(self.search).collect();
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open(&self, token: &str) -> Result<u128, Problem> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok().filter(|bytes| bytes.len() == CURSOR + MARK);
        let (cursor, search) = bytes
            .as_ref()
            .and_then(|bytes| bytes.split_first_chunk::<CURSOR>())
            .ok_or_else(|| Problem::malformed("`page.token` is not one that was given out"))?;
        if search != self.search {
            return Err(Problem::malformed("`page.token` belongs to another search; begin again without it"));
        }
        Ok(u128::from_be_bytes(*cursor))
    }
}

/// What a search is, pages aside. Keys stand in order, so that it does not matter in which they came.
fn mark(request: &Map<String, Value>, path: &str, caller: &str) -> [u8; MARK] {
    let mut rest = request.clone();
    rest.remove("page");
    let digest =
        Digest::of_parts(&[path.as_bytes(), caller.as_bytes(), Value::Object(rest).to_string().as_bytes()]);
    let mut mark = [0; MARK];
    for (to, from) in mark.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    mark
}
