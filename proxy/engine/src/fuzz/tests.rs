//! The promises of the fuzz targets, held to mutations of their seeds.

#[path = "../../../../fuzz/mutations.rs"]
pub mod mutations;

mutations::holds! {
    framing: 40_000,
    head: 100_000,
    chunk: 200_000,
    first_bytes: 40_000,
    frames: 20_000,
    trace: 60_000,
    names: 200_000,
    routing: 20_000,
    snapshot: 30_000,
    spool: 1_000,
    otlp_answer: 60_000,
    token: 20_000,
}
