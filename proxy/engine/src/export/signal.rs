//! What is exported, and where a collector takes it (OTLP 1.11, "OTLP/HTTP Request", "OTLP/gRPC").

use super::url::Url;

const TRACES: &str = "/v1/traces";
const LOGS: &str = "/v1/logs";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Traces,
    Logs,
}

impl Signal {
    /// Where the collector whose traces endpoint this is takes the signal over HTTP: beside it.
    #[must_use]
    pub fn beside(self, traces: Url) -> Url {
        if self == Self::Traces {
            return traces;
        }
        let base = traces.path.strip_suffix(TRACES).unwrap_or_default();
        Url {
            path: format!("{base}{LOGS}"),
            address: traces.address,
        }
    }

    /// The method that takes the signal over gRPC, as a path.
    #[must_use]
    pub fn method(self) -> &'static str {
        match self {
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_go_beside_the_traces() {
        for (traces, logs) in [
            ("http://h:4318/v1/traces", "/v1/logs"),
            ("http://h:4318/otlp/v1/traces", "/otlp/v1/logs"),
            ("http://h:4318", "/v1/logs"),
            ("http://h:4318/spans", "/v1/logs"),
        ] {
            let url = Url::parse(traces).unwrap();
            assert_eq!(Signal::Traces.beside(url.clone()), url);
            assert_eq!(Signal::Logs.beside(url).path, logs, "{traces}");
        }
    }
}
