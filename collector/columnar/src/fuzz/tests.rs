//! The promises of the fuzz targets, held to mutations of their seeds.

// Formatted as the other crate has it.
#[rustfmt::skip]
#[path = "../../../../fuzz/mutations.rs"]
pub mod mutations;

mutations::holds! {
    otlp_request: 40_000,
    native_block: 100_000,
}
