//! What of attributes, texts and log bodies does not reach the tables: compiled once, applied as values are written.

mod globs;
mod pattern;
pub mod rules;
pub mod screen;
