//! What identities of elsewhere are worth, and what is done to make them worth more. Names that begin with `row_` are
//! rows of the threat table that the conformance page lists.

mod addresses;
mod events;
mod flows;
mod id_tokens;
mod keys;
mod logouts;
mod provider;
mod workloads;
