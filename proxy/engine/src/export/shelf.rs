//! The spool as the exporter sees it: there, switched off, or out of order and tried again later.
//!
//! In: batches that cannot be sent now. Out: the oldest of them. Never: a failure of the disk passed on; it is said in the
//! account, and the batches stay in memory.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::account::Account;
use super::batch::Batch;
use super::coding::Coding;
use super::spool::{Damaged, Spool, Stored};

/// A directory that could not be used is tried again after this long.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// Disks are slower than this compression, and it makes the quota last about ten times longer.
const CODING: Coding = Coding::Zstd;

pub struct Shelf {
    directory: Option<PathBuf>,
    quota: u64,
    spool: Option<Spool>,
    /// When a spool that failed may be tried again.
    not_before: Duration,
    failing: bool,
    account: Arc<Account>,
}

impl Shelf {
    /// Opens the spool in `directory`, if there is to be one.
    #[must_use]
    pub fn new(directory: Option<PathBuf>, quota: u64, account: Arc<Account>) -> Self {
        let mut shelf = Self {
            directory,
            quota,
            spool: None,
            not_before: Duration::ZERO,
            failing: false,
            account,
        };
        shelf.open(Duration::ZERO);
        shelf
    }

    /// Keeps to another quota; 0 switches the spool off once it is empty.
    pub fn resize(&mut self, quota: u64) {
        self.quota = quota;
        if let Some(spool) = &mut self.spool {
            spool.resize(quota);
        }
        self.not_before = Duration::ZERO;
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spool.as_ref().is_none_or(|spool| spool.records() == 0)
    }

    /// Opens the spool when it was not to be had before; true when batches can be put there.
    pub fn usable(&mut self, now: Duration) -> bool {
        if self.quota == 0 {
            return false;
        }
        if self.spool.is_none() && now >= self.not_before {
            self.open(now);
        }
        self.spool.is_some() && now >= self.not_before
    }

    /// Puts a batch behind the others; given back when the disk does not take it.
    pub fn put(&mut self, mut batch: Batch, now: Duration) -> Result<(), Batch> {
        let Some(spool) = &mut self.spool else {
            return Err(batch);
        };
        let put = CODING
            .encode(&batch.raw)
            .and_then(|body| spool.append(batch.id, batch.records, CODING, &body));
        match put {
            Ok(dropped) => {
                self.account.dropped.spool_full.fetch_add(dropped, Relaxed);
                batch.release();
                self.recover();
                self.measure();
                Ok(())
            }
            Err(error) => {
                self.fail(&error, now);
                Err(batch)
            }
        }
    }

    /// The oldest batch on disk.
    pub fn front(&mut self, now: Duration) -> Option<Stored> {
        loop {
            match self.spool.as_mut()?.front() {
                Ok(Ok(stored)) => return stored,
                Ok(Err(Damaged(records))) => self.damaged(records),
                Err(error) => {
                    self.fail(&error, now);
                    return None;
                }
            }
        }
    }

    /// A batch from disk could not be decompressed, or is no batch of ours.
    pub fn discard(&mut self, stored: &Stored, now: Duration) {
        self.damaged(stored.records);
        self.done(stored, now);
    }

    /// A batch from disk has been answered.
    pub fn done(&mut self, stored: &Stored, now: Duration) {
        let marked = self.spool.as_mut().map(|spool| spool.done(stored.id));
        if let Some(Err(error)) = marked {
            self.fail(&error, now);
        }
        self.measure();
    }

    /// A batch from disk must be sent again; it is lost when it had to make room meanwhile.
    pub fn again(&mut self, stored: &Stored) {
        if !self
            .spool
            .as_mut()
            .is_some_and(|spool| spool.again(stored.id))
        {
            let lost = &self.account.dropped.spool_full;
            lost.fetch_add(stored.records, Relaxed);
        }
    }

    fn open(&mut self, now: Duration) {
        let Some(directory) = self.directory.as_ref().filter(|_| self.quota > 0) else {
            return;
        };
        match Spool::open(directory, self.quota) {
            Ok((spool, found)) => {
                self.account.recovered.fetch_add(found.records, Relaxed);
                self.account.spool.torn.fetch_add(found.torn, Relaxed);
                self.spool = Some(spool);
                self.recover();
                self.measure();
            }
            Err(error) => self.fail(&error, now),
        }
    }

    fn damaged(&mut self, records: u64) {
        let damaged = &self.account.dropped.spool_damaged;
        damaged.fetch_add(records, Relaxed);
        self.measure();
    }

    fn fail(&mut self, error: &io::Error, now: Duration) {
        let place = self
            .directory
            .as_ref()
            .map(|path| path.display().to_string());
        self.account.say_of_spool(format!(
            "{}: {error}; batches wait in memory, tried again every {} s",
            place.unwrap_or_default(),
            TRY_AGAIN.as_secs()
        ));
        self.not_before = now + TRY_AGAIN;
        self.failing = true;
    }

    fn recover(&mut self) {
        if std::mem::take(&mut self.failing) {
            self.account.say_of_spool(String::new());
        }
    }

    fn measure(&self) {
        let Some(spool) = &self.spool else { return };
        let account = &self.account.spool;
        account.records.store(spool.records(), Relaxed);
        account.bytes.store(spool.bytes(), Relaxed);
        account.peak_bytes.fetch_max(spool.bytes(), Relaxed);
    }
}
