//! What `who-can` and `what-can` have in common: the circumstances asked about, and the page.

use modelward_decision::vocabulary::Name;

use super::api::Server;
use super::time::Moment;

#[derive(Debug, clap::Args)]
pub(super) struct Within {
    /// The environment
    #[arg(long, visible_alias = "env", value_name = "NAME")]
    pub(super) environment: Option<Name>,
    /// The network segment requests would come from
    #[arg(long, visible_alias = "from", value_name = "NAME")]
    pub(super) network: Option<Name>,
    /// Another moment than now
    #[arg(long, value_name = "MOMENT")]
    pub(super) at: Option<Moment>,
    /// Rows on a page, 1 to 500
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(super) limit: Option<u32>,
    /// Go on where the page before ended
    #[arg(long, value_name = "PLACE")]
    pub(super) after: Option<String>,
    #[command(flatten)]
    pub(super) server: Server,
}

/// How to see the rest of what did not fit on a page.
pub(super) fn more(next: Option<String>) -> String {
    next.map(|next| format!("; go on with --after {next}")).unwrap_or_default()
}
