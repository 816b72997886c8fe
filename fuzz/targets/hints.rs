//! See `lb_fuzz::hints`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lb_fuzz::hints(input));
