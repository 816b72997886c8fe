//! The simulator against closed forms, against runs computed by hand, and against itself.
//!
//! What takes long runs here at a smaller size, within four standard errors; `cargo run --release -p lb-sim --example
//! validate` runs the whole table at full length.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should stop")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and spans of tests are small and not negative"
)]

mod by_hand;
mod case;
mod choices;
mod conservation;
mod faults;
mod gossip;
mod limits;
mod patience;
mod queues;
mod refused_streams;
mod repeat;
mod retries;
mod scene;
mod sdk;
mod suspects;
mod theory;
mod wishes;

use case::{Case, Found, Size};

/// Runs the short size of these rows, and tells every figure that is off.
fn check(cases: Vec<Case>, rows: &[&str]) {
    let mut wrong = Vec::new();
    let chosen: Vec<Case> = cases.into_iter().filter(|case| rows.contains(&case.row)).collect();
    assert!(!chosen.is_empty(), "no case of {rows:?}");
    for case in chosen {
        for (figure, found) in case.figures.iter().zip(case.judge(Size::Short)) {
            if !found.passed {
                let (row, case, name, expected) = (case.row, &case.name, figure.name, figure.expected);
                let Found { seen, standard_error, tolerance, .. } = found;
                wrong.push(format!(
                    "{row} {case}: {name} is {seen} ± {standard_error}, and may be {tolerance} from {expected}"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn v1_a_loss_system_loses_as_erlang_b_says_whatever_the_law_of_the_service() {
    check(queues::cases(), &["V1"]);
}

#[test]
fn v2_tiers_share_the_load_as_differences_of_erlang_b() {
    check(queues::cases(), &["V2"]);
}

#[test]
fn v3_the_overflow_is_as_peaked_as_wilkinson_and_riordan_say() {
    check(queues::cases(), &["V3"]);
}

#[test]
fn v4_a_sliding_window_is_a_loss_system_with_constant_service() {
    check(limits::cases(), &["V4"]);
}

#[test]
fn v5_a_fixed_window_takes_the_first_of_each_window() {
    check(limits::cases(), &["V5"]);
}

#[test]
fn v6_a_ptu_bucket_is_a_queue_of_bounded_workload() {
    check(limits::cases(), &["V6"]);
}

#[test]
fn v7_saturated_ptus_work_off_their_capacity() {
    check(limits::cases(), &["V7"]);
}

#[test]
fn v8_the_documented_sizing_example_needs_105_88_ptus() {
    check(limits::cases(), &["V8"]);
}

#[test]
fn v9_a_fixed_minute_takes_as_many_equal_requests_as_fit() {
    check(limits::cases(), &["V9"]);
}

#[test]
fn v10_private_workers_each_find_out_for_themselves() {
    check(choices::cases(), &["V10"]);
}

#[test]
fn v11_equals_are_chosen_at_random_by_weight() {
    check(choices::cases(), &["V11"]);
}

#[test]
fn v12_first_choices_of_workers_are_independent() {
    check(choices::cases(), &["V12"]);
}

#[test]
fn v15_a_queueing_backend_waits_as_erlang_c_says() {
    check(queues::cases(), &["V15"]);
}

#[test]
fn v16_retries_multiply_the_work_and_cut_the_failures() {
    check(retries::cases(), &["V16"]);
}
