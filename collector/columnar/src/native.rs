//! ClickHouse Native format: writing blocks, and finding where one ends.
//!
//! The form is the one of protocol revisions up to 54447 and of `FORMAT Native` in files: no block info, no
//! serialization byte per column. Checked byte for byte against what ClickHouse 26.9 writes and reads.

pub mod block;
pub mod column;
pub mod dictionary;
pub mod length;
pub mod revision;
pub mod shape;
pub mod types;
