//! The authorities of a file of certificates, read anew when it changes.
//!
//! In: paths of PEM files. Out: what the first one that is there held when it was last read. Never: a look at the disk for
//! each of many connections.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// How long what was seen of the file is taken for what it is.
const AGAIN: Duration = Duration::from_secs(1);
/// Where systems keep those that they trust: Debian and Alpine, Fedora, SUSE, BSD.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// By which OpenSSL, too, is told of another file.
const VARIABLE: &str = "SSL_CERT_FILE";

/// Those of this machine.
pub static OF_SYSTEM: LazyLock<Arc<Roots>> = LazyLock::new(|| {
    let told = env::var_os(VARIABLE).map(PathBuf::from);
    let paths = told.map_or_else(|| SYSTEM.map(PathBuf::from).to_vec(), |path| vec![path]);
    Arc::new(Roots::of(paths))
});

#[derive(Debug)]
pub struct Roots {
    paths: Vec<PathBuf>,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    store: Arc<RootCertStore>,
    /// Of the file that they were read from: the inode, the time and its nanoseconds, the size.
    mark: Option<[i64; 4]>,
    looked: Option<Instant>,
}

impl Roots {
    #[must_use]
    pub fn of(paths: Vec<PathBuf>) -> Self {
        let held = Mutex::new(Held {
            store: Arc::new(RootCertStore::empty()),
            mark: None,
            looked: None,
        });
        Self { paths, held }
    }

    /// Whom to believe now; nobody while there never was a file.
    pub fn current(&self, now: Instant) -> Arc<RootCertStore> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = |looked| now.saturating_duration_since(looked) < AGAIN;
        if !held.looked.is_some_and(fresh) {
            held.looked = Some(now);
            self.look(&mut held);
        }
        Arc::clone(&held.store)
    }

    /// A file without certificates is being replaced: the next look will tell.
    fn look(&self, held: &mut Held) {
        let there = self
            .paths
            .iter()
            .find_map(|path| Some((path, mark(path).ok()?)));
        let Some((path, mark)) = there.filter(|(_, mark)| Some(*mark) != held.mark) else {
            return;
        };
        if let Some(store) = read(path) {
            held.store = Arc::new(store);
            held.mark = Some(mark);
        }
    }
}

fn mark(path: &Path) -> io::Result<[i64; 4]> {
    let told = fs::metadata(path)?;
    let [inode, size] = [told.ino(), told.size()].map(u64::cast_signed);
    Ok([inode, told.mtime(), told.mtime_nsec(), size])
}

fn read(path: &Path) -> Option<RootCertStore> {
    let found = CertificateDer::pem_file_iter(path).ok()?;
    let mut store = RootCertStore::empty();
    // Systems carry authorities that rustls cannot read; the others count.
    store.add_parsable_certificates(found.filter_map(Result::ok));
    (!store.is_empty()).then_some(store)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn write(path: &Path, names: &[&str]) {
        let pem = |name: &&str| {
            let made = rcgen::generate_simple_self_signed(vec![(*name).to_owned()]).unwrap();
            let text = STANDARD.encode(made.cert.der());
            format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
        };
        fs::write(path, names.iter().map(pem).collect::<String>()).unwrap();
    }

    #[test]
    fn the_first_file_that_is_there_counts_and_is_read_anew_when_it_changed() {
        let folder = env::temp_dir().join(format!("whymesh-roots-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("roots.pem");
        let roots = Roots::of(vec![folder.join("nowhere.pem"), path.clone()]);
        let start = Instant::now();
        let known = |seconds| roots.current(start + Duration::from_secs(seconds)).len();
        assert_eq!(known(0), 0, "there is none yet");
        write(&path, &["a"]);
        assert_eq!(known(0), 0, "the disk was looked at a moment ago");
        assert_eq!(known(1), 1);
        write(&path, &["a", "b"]);
        assert_eq!(known(2), 2);
        fs::write(&path, "half of a").unwrap();
        assert_eq!(known(3), 2, "what was read stays");
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(known(4), 2, "also without a file");
    }
}
