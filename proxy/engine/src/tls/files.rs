//! A certificate and its key on disk, read anew when they change.
//!
//! In: two paths of PEM files. Out: what they held when they last fitted together. Never: a look at the disk for each of many
//! connections.

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

/// How long what was seen of the files is taken for what they are.
const AGAIN: Duration = Duration::from_secs(1);

pub struct Pair {
    certificate: PathBuf,
    key: PathBuf,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    certified: Option<Arc<CertifiedKey>>,
    /// Of the files that it was read from.
    mark: Option<[Mark; 2]>,
    looked: Option<Instant>,
    /// Why it is not what the files hold now.
    problem: Option<String>,
}

/// What another file, or another content, would change: the inode, the time and its nanoseconds, the size.
type Mark = [i64; 4];

impl Pair {
    #[must_use]
    pub fn of(certificate: &str, key: &str) -> Self {
        Self {
            certificate: certificate.into(),
            key: key.into(),
            held: Mutex::default(),
        }
    }

    /// What to show now; `None` while there never was a pair that fits.
    pub fn current(&self, now: Instant) -> Option<Arc<CertifiedKey>> {
        self.looked_at(now).certified.clone()
    }

    /// The same, and why the files do not hold it any more, or not yet.
    pub fn standing(&self, now: Instant) -> (Option<Arc<CertifiedKey>>, Option<String>) {
        let held = self.looked_at(now);
        (held.certified.clone(), held.problem.clone())
    }

    fn looked_at(&self, now: Instant) -> MutexGuard<'_, Held> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |looked| now.saturating_duration_since(looked) < AGAIN;
        if !held.looked.is_some_and(fresh) {
            held.looked = Some(now);
            held.problem = self.look(&mut held).err();
        }
        held
    }

    /// Files that do not fit together are being replaced: the next look will tell.
    fn look(&self, held: &mut Held) -> Result<(), String> {
        let mark = [mark(&self.certificate)?, mark(&self.key)?];
        if held.mark != Some(mark) {
            held.certified = Some(Arc::new(self.read()?));
            held.mark = Some(mark);
        }
        Ok(())
    }

    fn read(&self) -> Result<CertifiedKey, String> {
        let chain = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| of(&self.certificate, error))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| of(&self.key, error))?;
        let key = any_supported_type(&key).map_err(|error| of(&self.key, error))?;
        if chain.is_empty() {
            return Err(of(
                &self.certificate,
                "there is no certificate in PEM in it",
            ));
        }
        let certified = CertifiedKey::new(chain, key);
        let fits = certified.keys_match();
        fits.map_err(|_| of(&self.key, "is not the key of the certificate"))?;
        Ok(certified)
    }
}

fn mark(path: &Path) -> Result<Mark, String> {
    let told = fs::metadata(path).map_err(|error| of(path, error))?;
    let [inode, size] = [told.ino(), told.size()].map(u64::cast_signed);
    Ok([inode, told.mtime(), told.mtime_nsec(), size])
}

fn of(path: &Path, problem: impl Display) -> String {
    format!("{}: {problem}", path.display())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn pem(label: &str, der: &[u8]) -> String {
        let text = STANDARD.encode(der);
        format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
    }

    fn write(folder: &Path, name: &str) -> Vec<u8> {
        let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
        let key = pem("PRIVATE KEY", made.signing_key.serialized_der());
        fs::write(folder.join("a.pem"), pem("CERTIFICATE", made.cert.der())).unwrap();
        fs::write(folder.join("a.key"), key).unwrap();
        made.cert.der().to_vec()
    }

    fn shown(pair: &Pair, at: Instant) -> Option<Vec<u8>> {
        pair.current(at).map(|one| one.cert[0].to_vec())
    }

    #[test]
    fn files_are_read_anew_when_they_changed_and_fit_together() {
        let folder = std::env::temp_dir().join(format!("whymesh-pair-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = |name| folder.join(name).to_str().unwrap().to_owned();
        let pair = Pair::of(&path("a.pem"), &path("a.key"));
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(shown(&pair, at(0)), None, "there is none yet");
        let first = write(&folder, "first.example");
        assert_eq!(
            shown(&pair, at(0)),
            None,
            "the disk was looked at a moment ago"
        );
        assert_eq!(shown(&pair, at(1)), Some(first.clone()));
        let second = write(&folder, "second.example");
        let key = fs::read(folder.join("a.key")).unwrap();
        fs::write(folder.join("a.key"), "half of a").unwrap();
        assert_eq!(shown(&pair, at(2)), Some(first.clone()), "what fits stays");
        let problem = pair.standing(at(2)).1.unwrap();
        assert!(problem.starts_with(&path("a.key")), "{problem}");
        fs::write(folder.join("a.key"), key).unwrap();
        assert_eq!(shown(&pair, at(3)), Some(second.clone()));
        assert_eq!(pair.standing(at(3)).1, None);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(shown(&pair, at(4)), Some(second), "files that are gone too");
    }
}
