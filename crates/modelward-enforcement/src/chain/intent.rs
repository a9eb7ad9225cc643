//! An allow that owes the ledger its outcome.

use std::fmt;
use std::sync::Arc;

use modelward_decision::vocabulary::DecisionId;
use modelward_ledger::{Lane, Ticket};
use tokio::time::Instant;

use crate::core::{Core, narrows};
use crate::denial::{NoPermit, Unavailable};
use crate::ending::{Ending, Status};
use crate::entry;
use crate::operation::{ReleaseClass, Trace};
use crate::standing::Standing;

/// An allow in the ledger, or on its way there. Whoever drops it without an outcome has it recorded as abandoned; what
/// a crash keeps from being recorded, the ledger's recovery calls indeterminate.
pub(super) struct Intent {
    core: Arc<Core>,
    id: DecisionId,
    lane: Lane,
    /// Its outcome may use what its allow could: a revocation that is recorded without its end looks unfinished.
    narrows: bool,
    owed: Owed,
}

enum Owed {
    /// Submitted at this moment.
    Queued(Ticket, Instant),
    /// Durable at this position.
    Recorded(u64),
    Nothing,
}

impl Intent {
    pub(super) fn submit(
        core: &Arc<Core>,
        class: ReleaseClass,
        standing: &Standing,
        trace: &Trace,
    ) -> Result<Self, NoPermit> {
        let lane = match class {
            ReleaseClass::R0 => Lane::Control,
            ReleaseClass::R1 => Lane::Release,
        };
        let draft = entry::intent(standing, class, trace).map_err(|why| core.unavailable(why))?;
        let ticket = core.submit(lane, draft).map_err(|why| core.unavailable(why))?;
        let owed = Owed::Queued(ticket, Instant::now());
        let decision = standing.decision();
        let narrows = narrows(decision.action);
        Ok(Self { core: Arc::clone(core), id: decision.id, lane, narrows, owed })
    }

    pub(super) const fn id(&self) -> DecisionId {
        self.id
    }

    pub(super) fn is_of(&self, core: &Arc<Core>) -> bool {
        Arc::ptr_eq(&self.core, core)
    }

    /// Waits until the allow is on disk, and says where.
    pub(super) async fn recorded(mut self) -> Result<(Self, u64), NoPermit> {
        // The ticket stays in place while it is awaited, so that a caller who goes away still owes the outcome.
        let index = match &mut self.owed {
            Owed::Queued(ticket, since) => match self.core.settled(self.lane, ticket.await) {
                Ok(receipt) => {
                    self.core.observer.recorded(since.elapsed());
                    receipt.index
                }
                Err(why) => {
                    self.owed = Owed::Nothing;
                    return Err(self.core.unavailable(why));
                }
            },
            Owed::Recorded(index) => *index,
            Owed::Nothing => return Err(NoPermit::Unavailable(Unavailable::LedgerFailed)),
        };
        self.owed = Owed::Recorded(index);
        Ok((self, index))
    }

    /// Pays with an outcome, and waits for nothing.
    pub(super) fn conclude(mut self, ending: &Ending) {
        self.pay(ending);
    }

    /// Pays with an outcome, and waits until it is on disk.
    pub(super) async fn conclude_durably(mut self, ending: &Ending) -> Result<u64, Unavailable> {
        let Owed::Recorded(index) = std::mem::replace(&mut self.owed, Owed::Nothing) else {
            return Err(Unavailable::LedgerFailed);
        };
        let draft = entry::outcome(self.id, index, ending, self.narrows);
        let ticket = self.core.submit(self.lane, draft)?;
        let receipt = self.core.settled(self.lane, ticket.await)?;
        Ok(receipt.index)
    }

    fn pay(&mut self, ending: &Ending) {
        match std::mem::replace(&mut self.owed, Owed::Nothing) {
            Owed::Nothing => {}
            Owed::Recorded(index) => {
                let draft = || entry::outcome(self.id, index, ending, self.narrows);
                self.core.flood.concluded(&self.core, self.lane, draft);
            }
            Owed::Queued(ticket, _) => {
                // The position is not known yet. Somebody has to wait for it.
                let (core, lane, id, ending) = (Arc::clone(&self.core), self.lane, self.id, ending.clone());
                let narrows = self.narrows;
                let Ok(runtime) = tokio::runtime::Handle::try_current() else {
                    core.observer.unrecorded("outcome");
                    return;
                };
                runtime.spawn(async move {
                    if let Ok(receipt) = ticket.await {
                        let draft = || entry::outcome(id, receipt.index, &ending, narrows);
                        core.flood.concluded(&core, lane, draft);
                    }
                });
            }
        }
    }
}

impl Drop for Intent {
    fn drop(&mut self) {
        self.pay(&Ending::new(Status::Abandoned));
    }
}

impl fmt::Debug for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Intent").field(&self.id).finish()
    }
}
