//! See `lb_fuzz::models`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lb_fuzz::models(input));
