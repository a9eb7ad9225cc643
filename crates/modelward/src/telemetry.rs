//! Log lines and traces.
//!
//! What is logged never holds a secret: types that do hide it in `Debug`, and bodies are not logged at all.

mod otlp;

use std::io::{self, IsTerminal as _};

pub use otlp::OtlpError;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer as _, fmt};

use crate::config::{LogFormat, Telemetry};

/// Keeps traces flowing; sends what is left when it is dropped.
#[derive(Debug)]
#[must_use = "traces stop when this is dropped"]
pub struct Telemetering {
    traces: Option<SdkTracerProvider>,
}

/// Why nothing can be logged or traced.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("`telemetry.log_filter` is no filter: `{filter}`")]
    Filter {
        filter: String,
        #[source]
        source: ParseError,
    },
    #[error("failed to set up the export of traces")]
    Traces(#[from] OtlpError),
    #[error("failed to set up logging")]
    Install(#[from] TryInitError),
}

/// Starts logging, and tracing if an endpoint is configured. Runs inside the runtime that will send the traces.
///
/// # Errors
/// The filter or the endpoint cannot be used, or logging was started before.
pub fn start(telemetry: &Telemetry) -> Result<Telemetering, TelemetryError> {
    let filter = |text: &str| {
        EnvFilter::try_new(text).map_err(|source| TelemetryError::Filter { filter: text.to_owned(), source })
    };
    let json = match telemetry.log_format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let lines = fmt::layer().with_writer(io::stderr).with_target(true);
    let lines = if json {
        lines.json().flatten_event(true).boxed()
    } else {
        lines.with_ansi(io::stderr().is_terminal()).boxed()
    };
    let traces = otlp::provider(telemetry)?;
    let spans = traces.as_ref().map(|provider| {
        tracing_opentelemetry::layer().with_tracer(provider.tracer("modelward")).with_filter(own_spans())
    });
    tracing_subscriber::registry()
        .with(lines.with_filter(filter(&telemetry.log_filter)?))
        .with(spans)
        .try_init()?;
    Ok(Telemetering { traces })
}

/// Spans of our own rooms: those of the exporter's connection would trace themselves.
fn own_spans() -> tracing_subscriber::filter::FilterFn {
    tracing_subscriber::filter::filter_fn(|metadata| metadata.target().starts_with("modelward"))
}

impl Drop for Telemetering {
    fn drop(&mut self) {
        if let Some(traces) = &self.traces
            && let Err(error) = traces.shutdown()
        {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}
