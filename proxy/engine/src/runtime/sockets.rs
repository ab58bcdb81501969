//! The listening sockets of a proxy, by address: opened once, dealt out to its workers, passed on to its successor.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::TcpListener;

use crate::entry::listen::{self, BindError};
use crate::runtime::thread::Listeners;
use crate::snapshot::Snapshot;

#[derive(Default)]
pub struct Sockets(HashMap<String, Vec<TcpListener>>);

impl Sockets {
    /// Opens what a snapshot listens on and is not open, or takes it from `inherited`; one share of it for each worker.
    pub fn open(
        &mut self,
        snapshot: &Snapshot,
        mut inherited: Self,
        workers: usize,
    ) -> Result<Vec<Listeners>, BindError> {
        let mut fresh = HashMap::new();
        let mut shares: Vec<_> = (0..workers).map(|_| Listeners::default()).collect();
        for (place, way, address) in snapshot.entrances() {
            if self.0.contains_key(address) {
                continue;
            }
            let field = format!("workloads[{place}].{}", way.field());
            let sockets = match inherited.0.remove(address) {
                Some(sockets) => sockets,
                None => listen::open(&field, address, workers)?,
            };
            deal(&sockets, address, &mut shares).map_err(|source| BindError {
                field,
                address: address.to_owned(),
                source,
            })?;
            fresh.insert(address.to_owned(), sockets);
        }
        self.0.extend(fresh);
        Ok(shares)
    }

    /// Lets go of those that a snapshot does not listen on.
    pub fn keep(&mut self, snapshot: &Snapshot) {
        let wanted: HashSet<_> = snapshot
            .entrances()
            .map(|(_, _, address)| address)
            .collect();
        self.0.retain(|address, _| wanted.contains(&**address));
    }

    /// The same open sockets once more.
    pub fn duplicate(&self) -> io::Result<Self> {
        let mut copy = Self::default();
        for (address, socket) in self.iter() {
            copy.add(address, socket.try_clone()?);
        }
        Ok(copy)
    }

    pub fn add(&mut self, address: &str, socket: TcpListener) {
        self.0.entry(address.to_owned()).or_default().push(socket);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &TcpListener)> {
        self.0.iter().flat_map(|(address, sockets)| {
            sockets.iter().map(move |socket| (address.as_str(), socket))
        })
    }
}

/// A predecessor may have had more workers, or fewer: then some have several sockets, or share one.
fn deal(sockets: &[TcpListener], address: &str, shares: &mut [Listeners]) -> io::Result<()> {
    for turn in 0..sockets.len().max(shares.len()) {
        let socket = sockets[turn % sockets.len()].try_clone()?;
        let worker = turn % shares.len();
        shares[worker].0.push((address.to_owned(), socket));
    }
    Ok(())
}
