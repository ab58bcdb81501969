use std::fs;
use std::path::PathBuf;

use super::*;

/// A directory of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("whymesh-spool-{:016x}", fastrand::u64(..))))
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| Segment::number_of(path).is_some())
            .collect();
        files.sort();
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

const QUOTA: u64 = 16 * 1_000;

fn add(spool: &mut Spool, id: u128, records: u64, length: usize) -> u64 {
    let body = vec![b'x'; length];
    spool
        .append(BatchId(id), records, Coding::None, &body)
        .unwrap()
}

fn take(spool: &mut Spool) -> Option<(u128, u64)> {
    let stored = spool.front().unwrap().unwrap()?;
    spool.done(stored.id).unwrap();
    Some((stored.id.0, stored.records))
}

#[test]
fn batches_come_back_in_order_also_to_the_next_process() {
    let folder = Folder::new();
    let (mut spool, found) = Spool::open(&folder.0, QUOTA).unwrap();
    assert_eq!(found, Found::default());
    for id in 1..=6 {
        assert_eq!(add(&mut spool, id, 10, 300), 0);
    }
    assert_eq!(
        [take(&mut spool), take(&mut spool)],
        [Some((1, 10)), Some((2, 10))]
    );
    spool.front().unwrap().unwrap();
    drop(spool);
    let (mut spool, found) = Spool::open(&folder.0, QUOTA).unwrap();
    assert_eq!((found.records, found.torn), (40, 0));
    add(&mut spool, 7, 1, 5);
    let rest: Vec<_> = std::iter::from_fn(|| take(&mut spool)).collect();
    assert_eq!(rest, [(3, 10), (4, 10), (5, 10), (6, 10), (7, 1)]);
    assert_eq!((spool.bytes(), spool.records()), (0, 0));
    assert!(folder.files().is_empty());
}

#[test]
fn a_full_spool_drops_its_oldest_and_never_exceeds_its_quota() {
    let folder = Folder::new();
    let (mut spool, _) = Spool::open(&folder.0, QUOTA).unwrap();
    let mut dropped = 0;
    for id in 1..=100 {
        dropped += add(&mut spool, id, 10, 400);
        assert!(spool.bytes() <= QUOTA);
    }
    let rest: Vec<_> = std::iter::from_fn(|| take(&mut spool)).collect();
    assert_eq!(dropped + 10 * rest.len() as u64, 1_000);
    assert!(rest.len() > 25);
    assert_eq!(rest.last(), Some(&(100, 10)));
    assert_eq!(add(&mut spool, 101, 3, 20_000), 3, "larger than the quota");
}

#[test]
fn a_batch_under_way_is_not_counted_when_it_makes_room() {
    let folder = Folder::new();
    let (mut spool, _) = Spool::open(&folder.0, QUOTA).unwrap();
    add(&mut spool, 1, 10, 400);
    let out = spool.front().unwrap().unwrap().unwrap();
    assert!(spool.again(out.id));
    spool.front().unwrap().unwrap();
    let dropped: u64 = (2..=60).map(|id| add(&mut spool, id, 10, 400)).sum();
    assert!(!spool.again(out.id));
    assert_eq!(spool.records() + dropped, 590);
    spool.done(out.id).unwrap();
    assert_eq!(spool.records() + dropped, 590);
}

#[test]
fn a_torn_end_is_cut_off_and_counted() {
    let folder = Folder::new();
    for cut in [1, 300, 320, 343] {
        let (mut spool, _) = Spool::open(&folder.0, QUOTA).unwrap();
        add(&mut spool, 1, 10, 300);
        add(&mut spool, 2, 10, 300);
        drop(spool);
        let file = folder.files().pop().unwrap();
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() - cut]).unwrap();
        let (mut spool, found) = Spool::open(&folder.0, QUOTA).unwrap();
        assert_eq!((found.records, found.torn), (10, 1), "{cut}");
        assert_eq!(take(&mut spool), Some((1, 10)));
        assert_eq!(take(&mut spool), None);
    }
}

#[test]
fn a_damaged_body_is_passed_over_and_a_damaged_header_ends_its_file() {
    let folder = Folder::new();
    let (mut spool, _) = Spool::open(&folder.0, QUOTA).unwrap();
    for id in 1..=3 {
        add(&mut spool, id, 10, 300);
    }
    let files = folder.files();
    let mut bytes = fs::read(&files[0]).unwrap();
    bytes[100] ^= 1;
    fs::write(&files[0], &bytes).unwrap();
    assert_eq!(spool.front().unwrap(), Err(Damaged(10)));
    assert_eq!(take(&mut spool), Some((2, 10)));
    bytes = fs::read(files.last().unwrap()).unwrap();
    bytes[0] = 0;
    fs::write(files.last().unwrap(), &bytes).unwrap();
    assert_eq!(spool.front().unwrap(), Err(Damaged(10)));
    assert_eq!(spool.front().unwrap(), Ok(None));
    assert_eq!(spool.records(), 0);
}

#[test]
fn one_process_at_a_time() {
    let folder = Folder::new();
    let (held, _) = Spool::open(&folder.0, QUOTA).unwrap();
    let refused = Spool::open(&folder.0, QUOTA).err().unwrap();
    assert_eq!(refused.to_string(), "another proxy uses it");
    drop(held);
    assert!(Spool::open(&folder.0, QUOTA).is_ok());
}
