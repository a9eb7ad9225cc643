//! Uses and bytes of grants, counted at the control plane for all gateways together.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use modelward_decision::vocabulary::GrantId;
use modelward_enforcement::reservations::{Back, Budget, Lender, Lending, Loan, ReserveError, Wanted};
use modelward_planes::message::{Lend, Lent, Settle, path};
use modelward_seal::source::Ids;

use super::link::{Link, LinkError};

/// How often the end of a loan is told again before it is given up; it stays spent then.
const SETTLE_TRIES: u32 = 20;
const SETTLE_PAUSE: Duration = Duration::from_secs(3);

/// The connection of the moment, if one stands.
pub(crate) type Standing = Arc<ArcSwapOption<Link>>;

/// Borrows from the control plane.
#[derive(Debug)]
pub(crate) struct Borrower {
    link: Standing,
    ids: Arc<dyn Ids>,
}

impl Borrower {
    pub(crate) fn new(link: Standing, ids: Arc<dyn Ids>) -> Self {
        Self { link, ids }
    }
}

impl Lender for Borrower {
    fn lend(&self, grant: GrantId, wanted: Wanted) -> Lending<'_> {
        let loan = self.ids.uuid().as_u128();
        let (at_most, up_to) = match wanted {
            Wanted::AtMost(bytes) => (Some(bytes), bytes),
            Wanted::Unknown { up_to } => (None, up_to),
        };
        let question = Lend { loan, grant, at_most, up_to };
        Box::pin(async move {
            let link = self.link.load_full().ok_or(ReserveError::Unavailable)?;
            // If nobody waits for the answer any more, or none came, the loan goes back unused.
            let mut open = Unanswered { link: Arc::clone(&self.link), loan: Some(loan) };
            let answered = link.ask::<_, Lent>(path::LEND, &question).await;
            match answered {
                Ok(lent) => {
                    open.loan = None;
                    of(grant, loan, lent)
                }
                Err(LinkError::Refused(why) | LinkError::Unknown(why)) => {
                    open.loan = None;
                    tracing::warn!(why, "the control plane counts nothing for this gateway");
                    Err(ReserveError::Unavailable)
                }
                Err(error) => {
                    tracing::warn!(%error, "uses of a grant could not be counted");
                    Err(ReserveError::Unavailable)
                }
            }
        })
    }

    fn settle(&self, loan: Loan, back: Back) {
        tell(&self.link, Settle { loan: loan.id, whole: back.whole, bytes: back.bytes });
    }

    /// Without a connection only grants with limits are denied: those without need no counter.
    fn is_healthy(&self) -> bool {
        true
    }
}

const fn of(grant: GrantId, loan: u128, lent: Lent) -> Result<Loan, ReserveError> {
    let budget = match lent {
        Lent::Bytes(bytes) => return Ok(Loan { id: loan, bytes }),
        Lent::UsesSpent { max } => Budget::Uses { max },
        Lent::BytesSpent { max, left } => Budget::Bytes { max, left },
    };
    Err(ReserveError::Exhausted { grant, budget })
}

/// A loan that was asked for and not answered.
struct Unanswered {
    link: Standing,
    loan: Option<u128>,
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(loan) = self.loan {
            tell(&self.link, Settle { loan, whole: true, bytes: 0 });
        }
    }
}

/// Tells of the end of a loan until it is heard. Hearing it twice changes nothing.
fn tell(link: &Standing, settle: Settle) {
    let link = Arc::clone(link);
    drop(tokio::spawn(async move {
        for _ in 0..SETTLE_TRIES {
            let standing = link.load_full();
            if let Some(standing) = standing
                && standing.tell(path::SETTLE, &settle).await.is_ok()
            {
                return;
            }
            tokio::time::sleep(SETTLE_PAUSE).await;
        }
        tracing::warn!("what was not used of a grant could not be given back; it stays spent");
    }));
}
