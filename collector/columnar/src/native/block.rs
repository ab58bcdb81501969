//! A Native block: how many columns and rows, then each column's name, type and bytes.

use super::column::{LowCardinality, Map, put_text, put_varint};

const TEXT: &str = "LowCardinality(String)";
const ATTRIBUTES: &str = "Map(LowCardinality(String), String)";

pub struct Block {
    out: Vec<u8>,
}

impl Block {
    pub fn new(columns: usize, rows: usize, capacity: usize) -> Self {
        let mut out = Vec::with_capacity(capacity);
        put_varint(&mut out, columns as u64);
        put_varint(&mut out, rows as u64);
        Self { out }
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// A column without dictionaries; the parts are its bytes.
    pub fn put(&mut self, name: &str, kind: &str, parts: &[&[u8]]) {
        self.head(name, kind);
        for part in parts {
            self.out.extend_from_slice(part);
        }
    }

    pub fn put_words(&mut self, name: &str, column: &LowCardinality) {
        self.head(name, TEXT);
        LowCardinality::put_prefix(&mut self.out);
        column.put(&mut self.out);
    }

    pub fn put_map(&mut self, name: &str, column: &Map) {
        self.head(name, ATTRIBUTES);
        LowCardinality::put_prefix(&mut self.out);
        column.put(&mut self.out);
    }

    /// Array(LowCardinality(String)); `ends` says where each row's items end.
    pub fn put_word_arrays(&mut self, name: &str, ends: &[u8], column: &LowCardinality) {
        self.head(name, &format!("Array({TEXT})"));
        LowCardinality::put_prefix(&mut self.out);
        self.out.extend_from_slice(ends);
        column.put(&mut self.out);
    }

    /// Array(Map(...)); `ends` says where each row's maps end.
    pub fn put_map_arrays(&mut self, name: &str, ends: &[u8], column: &Map) {
        self.head(name, &format!("Array({ATTRIBUTES})"));
        LowCardinality::put_prefix(&mut self.out);
        self.out.extend_from_slice(ends);
        column.put(&mut self.out);
    }

    fn head(&mut self, name: &str, kind: &str) {
        put_text(&mut self.out, name.as_bytes());
        put_text(&mut self.out, kind.as_bytes());
    }
}
