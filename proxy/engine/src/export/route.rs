//! How the collector is reached at the moment: its address, the protocol, the compression that it reads.

use super::coding::Coding;
use super::connection::{Connection, Target};
use super::signal::Signal;
use super::url::Url;
use crate::snapshot::Telemetry;

/// How to reach the collector.
pub struct Route {
    pub target: Option<Target>,
    /// The compression that was asked for.
    pub wanted: Coding,
    pub coding: Coding,
    pub refused: Vec<Coding>,
    /// Away while it is being used.
    pub connection: Option<Connection>,
}

impl Route {
    #[must_use]
    pub fn of(telemetry: &Telemetry, signal: Signal) -> Self {
        let target = Url::parse(&telemetry.endpoint).map(|url| Target {
            url: signal.beside(url),
            signal,
            protocol: telemetry.protocol,
        });
        Self {
            target,
            wanted: telemetry.compression,
            coding: telemetry.compression,
            refused: Vec::new(),
            connection: Some(Connection::default()),
        }
    }

    /// Uses a simpler compression than one that the collector does not read, unless the settings have changed meanwhile.
    pub fn avoid(&mut self, refused: Coding) {
        if let Some(simpler) = refused.simpler().filter(|_| self.coding == refused) {
            self.refused.push(refused);
            self.coding = simpler;
        }
    }
}
