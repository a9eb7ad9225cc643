//! Counters that are kept somewhere else: at the control plane, for all its gateways together.

use std::fmt;
use std::pin::Pin;

use modelward_decision::vocabulary::GrantId;

use super::{ReserveError, Wanted};

/// Counts uses and bytes for others. What it lends is spent until it comes back, so that a borrower who dies wastes it.
pub trait Lender: Send + Sync + fmt::Debug {
    /// Sets aside one use and these bytes, durably, before it answers.
    fn lend(&self, grant: GrantId, wanted: Wanted) -> Lending<'_>;

    /// The request is over, and this much was not used. Called once for each loan, at the end of it; must return at once.
    fn settle(&self, loan: Loan, back: Back);

    fn is_healthy(&self) -> bool;
}

pub type Lending<'l> = Pin<Box<dyn Future<Output = Result<Loan, ReserveError>> + Send + 'l>>;

/// What was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loan {
    pub id: u128,
    /// `None` where the grant sets no bound on bytes.
    pub bytes: Option<u64>,
}

/// What comes back of a loan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Back {
    /// Nothing was forwarded, so the use goes back too.
    pub whole: bool,
    pub bytes: u64,
}
