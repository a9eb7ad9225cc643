//! Lists that arrive in pages.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One page of a list, with a way to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Pass as `after` to go on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How many there are in all, where counting is cheap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What is shown takes every ledger entry before this one into account.
    pub complete_to: u64,
}

/// A whole list, small enough to send at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    pub items: Vec<T>,
    /// The snapshot the answer rests on.
    pub revision: u64,
}
