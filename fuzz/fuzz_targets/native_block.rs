#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| _columnar::fuzz::native_block(bytes));
