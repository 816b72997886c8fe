//! See `lb_fuzz::endpoints`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lb_fuzz::endpoints(input));
