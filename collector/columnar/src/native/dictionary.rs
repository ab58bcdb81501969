//! Strings that repeat, each kept once and named by its place.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::BuildHasher as _;

use super::column::Strings;

/// Place 0 is the empty string, as ClickHouse has it in every dictionary.
#[derive(Debug)]
pub struct Dictionary {
    words: Strings,
    /// Where each word lies in `words`, its length prefix left out.
    at: Vec<std::ops::Range<usize>>,
    places: HashTable<u32>,
    hasher: RandomState,
}

impl Default for Dictionary {
    fn default() -> Self {
        let mut dictionary = Self {
            words: Strings::default(),
            at: Vec::new(),
            places: HashTable::new(),
            hasher: RandomState::default(),
        };
        dictionary.place(b"");
        dictionary
    }
}

impl Dictionary {
    pub fn len(&self) -> usize {
        self.at.len()
    }

    pub fn words(&self) -> &Strings {
        &self.words
    }

    /// The place of a word, new or known.
    #[inline]
    pub fn place(&mut self, word: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(word);
        let (words, at) = (self.words.bytes(), &self.at);
        if let Some(&place) = self.places.find(hash, |&place| words[at[place as usize].clone()] == *word) {
            return place;
        }
        self.add(word, hash)
    }

    #[cold]
    fn add(&mut self, word: &[u8], hash: u64) -> u32 {
        let place = u32::try_from(self.at.len()).expect("a body is too small for 2^32 different words");
        self.words.push(word);
        let end = self.words.bytes().len();
        self.at.push(end - word.len()..end);
        let (words, at, hasher) = (self.words.bytes(), &self.at, &self.hasher);
        self.places.insert_unique(hash, place, |&place| hasher.hash_one(&words[at[place as usize].clone()]));
        place
    }
}
