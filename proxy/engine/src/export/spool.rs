//! Batches on disk while the collector does not answer: in order, bounded, and there for the next process too.
//!
//! In: batches. Out: the same batches, oldest first, until each is done with. A batch that was sent by a process that
//! died before it could say so is sent again under the same id. It survives the end of the process at any moment; it is
//! not synced, so the last seconds may be lost with the power.
//! Never: more bytes than the quota; the oldest segment makes room, and what it held is counted.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use self::frame::Frame;
use self::segment::{Next, Segment};
use super::batch::BatchId;
use super::coding::Coding;

mod frame;
mod segment;

/// A quota is spent in this many steps: so much of it is dropped at once when it is full.
const SEGMENTS: u64 = 16;
const MAX_SEGMENT: u64 = 8 << 20;

/// The spool of one proxy, held by one process at a time.
pub struct Spool {
    directory: PathBuf,
    quota: u64,
    segments: VecDeque<Segment>,
    next_number: u64,
    /// The batch handed out by `front`, in the first segment.
    out: Option<Frame>,
    /// Held as long as the spool is.
    _lock: File,
}

/// What an earlier process left behind.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub records: u64,
    /// Files whose last batch was not written whole.
    pub torn: u64,
}

/// A batch read back.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored {
    pub id: BatchId,
    pub records: u64,
    pub coding: Coding,
    pub body: Bytes,
}

/// Records that are gone: their file no longer says what was written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Damaged(pub u64);

// === impl Spool ===

impl Spool {
    /// Takes a directory into use, made if need be. Refused while another process holds it.
    pub fn open(directory: &Path, quota: u64) -> io::Result<(Self, Found)> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let lock = File::create(directory.join("lock"))?;
        lock.try_lock().map_err(|refused| match refused {
            TryLockError::WouldBlock => io::Error::other("another proxy uses it"),
            TryLockError::Error(error) => error,
        })?;
        let mut numbers: Vec<u64> = fs::read_dir(directory)?
            .filter_map(|entry| Segment::number_of(&entry.ok()?.path()))
            .collect();
        numbers.sort_unstable();
        let mut found = Found::default();
        let mut segments = VecDeque::new();
        for number in &numbers {
            let (segment, torn) = Segment::found(directory, *number)?;
            found.torn += u64::from(torn);
            found.records += segment.records;
            segments.push_back(segment);
        }
        let spool = Self {
            directory: directory.to_owned(),
            quota,
            segments,
            next_number: numbers.last().map_or(0, |last| last + 1),
            out: None,
            _lock: lock,
        };
        Ok((spool, found))
    }

    /// Keeps to another quota from the next batch on.
    pub fn resize(&mut self, quota: u64) {
        self.quota = quota;
    }

    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    #[must_use]
    pub fn records(&self) -> u64 {
        self.segments.iter().map(|segment| segment.records).sum()
    }

    /// Adds a batch behind the others; the records that had to make room for it, or could find none.
    pub fn append(
        &mut self,
        id: BatchId,
        records: u64,
        coding: Coding,
        body: &[u8],
    ) -> io::Result<u64> {
        let frame = Frame::of(id, u32::try_from(records).unwrap_or(u32::MAX), coding, body);
        if frame.size() > self.quota {
            return Ok(records);
        }
        let mut dropped = 0;
        while self.bytes() + frame.size() > self.quota {
            dropped += self.drop_oldest()?;
        }
        let limit = (self.quota / SEGMENTS).clamp(1, MAX_SEGMENT);
        let open = self.segments.back().is_some_and(|last| {
            last.number + 1 == self.next_number && last.bytes + frame.size() <= limit
        });
        if !open {
            self.segments
                .push_back(Segment::new(&self.directory, self.next_number));
            self.next_number += 1;
        }
        let last = self.segments.back_mut().expect("just made");
        if let Err(error) = last.append(&frame, body) {
            if last.bytes == 0 {
                self.segments.pop_back();
            }
            return Err(error);
        }
        Ok(dropped)
    }

    /// The oldest batch; the same one until `done` is told of it.
    pub fn front(&mut self) -> io::Result<Result<Option<Stored>, Damaged>> {
        while let Some(segment) = self.segments.front_mut() {
            match segment.next() {
                Ok(Next::Batch(frame, body)) => {
                    self.out = Some(frame);
                    return Ok(Ok(Some(Stored {
                        id: frame.id,
                        records: u64::from(frame.records),
                        coding: frame.coding,
                        body: body.into(),
                    })));
                }
                Ok(Next::Damaged(frame)) => return Ok(Err(Damaged(u64::from(frame.records)))),
                Ok(Next::End) => {
                    self.remove_first()?;
                }
                // What cannot be read is given up, or nothing behind it would ever be sent.
                Err(_) => return Ok(Err(Damaged(self.remove_first()?))),
            }
        }
        Ok(Ok(None))
    }

    /// The batch handed out by `front` must be sent again; false when it had to make room meanwhile, and is not here.
    pub fn again(&mut self, id: BatchId) -> bool {
        self.out.take_if(|frame| frame.id == id).is_some()
    }

    /// The batch handed out by `front` is done with.
    pub fn done(&mut self, id: BatchId) -> io::Result<()> {
        let Some(frame) = self.out.take_if(|frame| frame.id == id) else {
            return Ok(());
        };
        let Some(segment) = self.segments.front_mut() else {
            return Ok(());
        };
        let marked = segment.done(&frame);
        if segment.records == 0 {
            self.remove_first()?;
        }
        marked
    }

    /// Drops the oldest segment; the records it held, less those under way to the collector.
    fn drop_oldest(&mut self) -> io::Result<u64> {
        let under_way = self.out.take().map_or(0, |frame| u64::from(frame.records));
        Ok(self.remove_first()?.saturating_sub(under_way))
    }

    fn remove_first(&mut self) -> io::Result<u64> {
        let Some(segment) = self.segments.front() else {
            return Ok(0);
        };
        let records = segment.records;
        match fs::remove_file(&segment.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => self.segments.pop_front(),
        };
        Ok(records)
    }
}

#[cfg(test)]
mod tests;
