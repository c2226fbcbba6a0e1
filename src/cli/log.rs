//! Where the log goes: to standard error, as text or JSON, and with the feature `otel` to a collector of traces too.

use std::io::IsTerminal as _;

use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use super::args::LogFormat;

/// What must live as long as the program: dropping it sends what has not been sent yet.
#[derive(Default)]
pub(super) struct Log {
    #[cfg(feature = "otel")]
    provider: Option<opentelemetry_sdk::trace::SdkTracerProvider>,
}

/// Starts the log. A service says what it does; a command says only what went wrong.
pub(super) fn start(format: LogFormat, is_service: bool) -> Log {
    let usual = if is_service { "info" } else { "warn" };
    let filter = EnvFilter::try_from_env("WOOO_LOG").unwrap_or_else(|_| usual.into());
    let log = Log::open(is_service);
    let registry = tracing_subscriber::registry().with(filter).with(lines(format));
    #[cfg(feature = "otel")]
    let registry = registry.with(log.traces());
    // A log that is there already was started by whoever runs this as a library.
    let _started = registry.try_init();
    log
}

fn lines<S: Subscriber + for<'span> LookupSpan<'span>>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync> {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    }
}

#[cfg(not(feature = "otel"))]
impl Log {
    fn open(_: bool) -> Self {
        Self::default()
    }
}

#[cfg(feature = "otel")]
impl Log {
    /// Opens the way to a collector, if the environment names one as the specification of OpenTelemetry says:
    /// <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>.
    fn open(is_service: bool) -> Self {
        let names = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
        if !is_service || names.iter().all(|name| std::env::var_os(name).is_none()) {
            return Self::default();
        }
        let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build();
        let provider = exporter.ok().map(|exporter| {
            let resource = opentelemetry_sdk::Resource::builder().with_service_name("wooo").build();
            opentelemetry_sdk::trace::SdkTracerProvider::builder()
                .with_batch_exporter(exporter)
                .with_resource(resource)
                .build()
        });
        Self { provider }
    }

    fn traces<S: Subscriber + for<'span> LookupSpan<'span>>(&self) -> Option<impl Layer<S> + use<S>> {
        use opentelemetry::trace::TracerProvider as _;
        let tracer = self.provider.as_ref()?.tracer("wooo");
        Some(tracing_opentelemetry::layer().with_tracer(tracer))
    }
}

#[cfg(feature = "otel")]
impl Drop for Log {
    fn drop(&mut self) {
        if let Some(provider) = &self.provider {
            // The program ends anyway.
            let _sent = provider.shutdown();
        }
    }
}
