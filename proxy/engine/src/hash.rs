//! Hashes short texts for tables in memory: a few cycles for eight bytes, from a start that nobody outside can know.

use std::hash::{BuildHasher, Hasher};

/// Odd, with its bits spread evenly.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Makes hashers that all begin alike, and unlike those of another table.
pub struct Quick(u64);

/// Folds what it is given into one number (the multiplication of wyhash).
pub struct Folding(u64);

impl Default for Quick {
    fn default() -> Self {
        Self(fastrand::u64(..))
    }
}

impl BuildHasher for Quick {
    type Hasher = Folding;

    fn build_hasher(&self) -> Folding {
        Folding(self.0)
    }
}

impl Folding {
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(SPREAD);
        let halves = (product >> 64) ^ (product & u128::from(u64::MAX));
        self.0 = u64::try_from(halves).expect("two halves of 64 bits");
    }
}

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.fold(u64::from_le_bytes(word.try_into().expect("eight bytes")));
        }
        let mut rest = [0; 8];
        rest[..words.remainder().len()].copy_from_slice(words.remainder());
        self.fold(u64::from_le_bytes(rest) ^ (bytes.len() as u64) << 56);
    }

    fn write_u8(&mut self, byte: u8) {
        self.fold(u64::from(byte));
    }

    fn write_usize(&mut self, number: usize) {
        self.fold(number as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn texts_that_are_nearly_alike_are_told_apart() {
        let quick = Quick::default();
        let texts = (0..20_000).flat_map(|n| [format!("/a/{n}"), format!("/a/{n}/items/of/{n}")]);
        let hashes: HashSet<u64> = texts.map(|text| quick.hash_one(text)).collect();
        assert_eq!(hashes.len(), 40_000);
        let low: HashSet<u64> = hashes.iter().map(|hash| hash & 0xffff).collect();
        assert!(low.len() > 28_000, "{} of 65 536 places used", low.len());
    }

    #[test]
    fn the_end_of_a_text_counts() {
        let quick = Quick::default();
        let texts = ["", "\0", "\0\0", "a", "a\0", "aaaaaaaa", "aaaaaaaa\0"];
        let hashes: HashSet<u64> = texts.iter().map(|text| quick.hash_one(text)).collect();
        assert_eq!(hashes.len(), texts.len());
    }
}
