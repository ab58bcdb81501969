//! Holds a fuzz target to mutations of its seeds: a few thousand, the same ones on every run. Part of the tests of each crate
//! that has targets.

use std::fs;
use std::path::Path;

/// What parsers trip over.
const TOKENS: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\0",
    b" ",
    b"\t",
    b":",
    b";",
    b",",
    b"0",
    b"\xff",
    b"\x80",
    b"[",
    b"]",
    b"@",
    b"#",
    b"%",
    b"content-length: 5\r\n",
    b"transfer-encoding: chunked\r\n",
    b"host: a\r\n",
    b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"99999999999999999999",
];

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no seeds", folder.display());
    files
        .into_iter()
        .map(|file| fs::read(file).unwrap())
        .collect()
}

fn mutated(seeds: &[Vec<u8>], rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = rng.choice(seeds).unwrap().clone();
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(0..=bytes.len());
        let end = (at + rng.usize(0..12)).min(bytes.len());
        match rng.u8(0..6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.u8(0..8),
            1 if at < bytes.len() => bytes[at] = rng.u8(..),
            2 => drop(bytes.splice(at..at, rng.choice(TOKENS).unwrap().iter().copied())),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let again = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, again));
            }
            _ => {
                let other = rng.choice(seeds).unwrap();
                let tail = &other[rng.usize(0..=other.len())..];
                bytes.truncate(at);
                bytes.extend_from_slice(tail);
            }
        }
    }
    bytes
}

pub fn hold(target: &str, promise: fn(&[u8]), rounds: usize) {
    let seeds = seeds(target);
    for seed in &seeds {
        promise(seed);
    }
    let mut rng = fastrand::Rng::with_seed(2_026);
    for round in 0..rounds {
        let bytes = mutated(&seeds, &mut rng);
        let kept = std::panic::catch_unwind(|| promise(&bytes));
        assert!(
            kept.is_ok(),
            "round {round} of {target}: {:?}",
            bytes.escape_ascii().to_string()
        );
    }
}

/// A test of each target that holds it to so many mutations.
macro_rules! holds {
    ($($target:ident: $rounds:literal),* $(,)?) => {
        $(#[test]
        fn $target() {
            $crate::fuzz::tests::mutations::hold(stringify!($target), $crate::fuzz::$target, $rounds);
        })*
    };
}

pub(crate) use holds;
