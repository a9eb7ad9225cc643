//! Threads of the control plane's own, so that no flood at the gateway keeps a revocation waiting for its turn.

use std::io;

use tokio::runtime::{Builder, Handle, Runtime};

/// Each waits far more than it computes.
const THREADS: usize = 2;

/// Dropping it leaves what still runs on them behind.
#[derive(Debug)]
pub(super) struct ControlThreads {
    handle: Handle,
    /// Taken when dropped.
    runtime: Option<Runtime>,
}

impl ControlThreads {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("control-plane")
            .enable_all()
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    pub(super) const fn handle(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for ControlThreads {
    fn drop(&mut self) {
        // A runtime must not wait for its threads where others must not wait either.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
