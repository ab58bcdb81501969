//! One file of the spool: batches one after another, each marked in place when it is done with.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::frame::{DONE, DONE_AT, Frame, HEADER};

const SUFFIX: &str = "spool";

#[derive(Debug)]
pub struct Segment {
    pub path: PathBuf,
    pub number: u64,
    /// Length of the file.
    pub bytes: u64,
    /// Where whole frames end.
    whole: u64,
    /// Records in frames that are not done with.
    pub records: u64,
    /// Where the next frame to send may be.
    next: u64,
}

/// What lies next in a segment.
pub enum Next {
    Batch(Frame, Vec<u8>),
    /// A frame whose body is not what was written; it has been passed over.
    Damaged(Frame),
    End,
}

impl Segment {
    /// A segment that has no file yet.
    #[must_use]
    pub fn new(directory: &Path, number: u64) -> Self {
        Self {
            path: directory.join(format!("{number:016x}.{SUFFIX}")),
            number,
            bytes: 0,
            whole: 0,
            records: 0,
            next: 0,
        }
    }

    /// The number in the name of a segment file.
    #[must_use]
    pub fn number_of(path: &Path) -> Option<u64> {
        if path.extension()? != SUFFIX {
            return None;
        }
        u64::from_str_radix(path.file_stem()?.to_str()?, 16).ok()
    }

    /// Reads the headers of a file that an earlier process left; the second value says whether its last batch was not
    /// written whole, and has been cut off.
    pub fn found(directory: &Path, number: u64) -> io::Result<(Self, bool)> {
        let mut segment = Self::new(directory, number);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&segment.path)?;
        segment.bytes = file.metadata()?.len();
        while let Some(frame) = header(&file, segment.whole)? {
            if segment.whole + frame.size() > segment.bytes {
                break;
            }
            segment.whole += frame.size();
            segment.records += if frame.done {
                0
            } else {
                u64::from(frame.records)
            };
        }
        let torn = segment.whole < segment.bytes;
        if torn {
            file.set_len(segment.whole)?;
            segment.bytes = segment.whole;
        }
        Ok((segment, torn))
    }

    /// Adds a batch; when it cannot be written whole it is not there.
    pub fn append(&mut self, frame: &Frame, body: &[u8]) -> io::Result<()> {
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.path)?;
        let written = file
            .write_all_at(&frame.header(), self.whole)
            .and_then(|()| file.write_all_at(body, self.whole + HEADER as u64));
        if let Err(error) = written {
            // What stays behind is cut off when the file is next found.
            drop(file.set_len(self.whole));
            return Err(error);
        }
        self.whole += frame.size();
        self.bytes = self.whole;
        self.records += u64::from(frame.records);
        Ok(())
    }

    /// Reads the first batch that is not done with.
    pub fn next(&mut self) -> io::Result<Next> {
        let file = File::open(&self.path)?;
        while self.next < self.whole {
            let Some(frame) = header(&file, self.next)? else {
                return Err(io::Error::new(
                    ErrorKind::InvalidData,
                    "a header is damaged",
                ));
            };
            if frame.done {
                self.next += frame.size();
                continue;
            }
            let mut body = vec![0; frame.length as usize];
            file.read_exact_at(&mut body, self.next + HEADER as u64)?;
            if frame.fits(&body) {
                return Ok(Next::Batch(frame, body));
            }
            self.pass(&frame);
            return Ok(Next::Damaged(frame));
        }
        Ok(Next::End)
    }

    /// The batch that `next` returned is done with, also for a process that comes after this one.
    pub fn done(&mut self, frame: &Frame) -> io::Result<()> {
        let at = self.next + DONE_AT;
        self.pass(frame);
        let file = OpenOptions::new().write(true).open(&self.path)?;
        file.write_all_at(&[DONE], at)
    }

    fn pass(&mut self, frame: &Frame) {
        self.next += frame.size();
        self.records -= u64::from(frame.records).min(self.records);
    }
}

/// The header at an offset; `None` when there is no whole and sound one.
fn header(file: &File, at: u64) -> io::Result<Option<Frame>> {
    let mut bytes = [0; HEADER];
    match file.read_exact_at(&mut bytes, at) {
        Ok(()) => Ok(Frame::parse(&bytes)),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}
