//! See `lb_fuzz::configuration`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lb_fuzz::configuration(input));
