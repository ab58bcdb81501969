//! Tail sampling: what becomes of the spans of a trace, decided once it had time to come in.

mod chance;
mod decided;
pub mod facts;
mod operations;
pub mod traces;
pub mod verdict;
