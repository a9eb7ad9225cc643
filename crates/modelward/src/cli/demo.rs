//! `modelward demo`

use super::Context;
pub(super) use crate::demo::Args;
use crate::exit::{Exit, Failure, Outcome};

pub(super) fn run(context: &Context, args: &Args) -> Outcome {
    crate::demo::run(&context.terminal, &context.environment, args)
}

/// The model server of the demonstration, as a process of its own.
pub(super) fn upstream() -> Outcome {
    demo_upstream::run().map_err(|error| Failure::of(Exit::Failure, &error))?;
    Ok(Exit::Ok)
}
