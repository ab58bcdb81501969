//! Where lines are written: standard output, or a file that may be moved away while it is being written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long a file that was moved away may still be written to.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

pub enum Place {
    Stdout,
    File(LogFile),
}

pub struct LogFile {
    path: PathBuf,
    open: Option<File>,
    looked: Instant,
}

// === impl Place ===

impl Place {
    #[must_use]
    pub fn file(path: &str) -> Self {
        Self::File(LogFile {
            path: path.into(),
            open: None,
            looked: Instant::now(),
        })
    }

    /// Writes whole lines at once, so that several proxies may write to one file.
    pub fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(lines)?;
                stdout.flush()
            }
            Self::File(file) => file.open()?.write_all(lines),
        }
    }

    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Stdout => "standard output".into(),
            Self::File(file) => file.path.display().to_string(),
        }
    }
}

// === impl LogFile ===

impl LogFile {
    /// The file of that name; another one when the one written to was moved away.
    fn open(&mut self) -> io::Result<&File> {
        if self.looked.elapsed() >= LOOK_AGAIN {
            self.looked = Instant::now();
            if self.is_moved() {
                self.open = None;
            }
        }
        let file = match self.open.take() {
            Some(file) => file,
            None => OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o640)
                .open(&self.path)?,
        };
        Ok(self.open.insert(file))
    }

    fn is_moved(&self) -> bool {
        let place = |data: std::fs::Metadata| (data.dev(), data.ino());
        let written = self.open.as_ref().and_then(|file| file.metadata().ok());
        let named = std::fs::metadata(&self.path).ok();
        written.map(place) != named.map(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_moved_away_is_begun_anew() {
        let folder = std::env::temp_dir().join(format!("whymesh-log-{}", fastrand::u64(..)));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("access.log");
        let mut place = Place::file(path.to_str().unwrap());
        place.write(b"one\n").unwrap();
        std::fs::rename(&path, folder.join("old")).unwrap();
        let Place::File(file) = &mut place else {
            unreachable!("a file was asked for");
        };
        file.looked = Instant::now().checked_sub(LOOK_AGAIN).unwrap();
        place.write(b"two\n").unwrap();
        assert_eq!(std::fs::read(folder.join("old")).unwrap(), b"one\n");
        assert_eq!(std::fs::read(&path).unwrap(), b"two\n");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
