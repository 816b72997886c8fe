//! The four documented rules of provisioned throughput, computed by hand.

use lb_limits::{Chain, Demand, MINUTE, Ptu, PtuModel, SECOND, Usage, azure_ptu};

/// 60,000 tokens a minute: 1,000 drain in a second. 100 % is 10,000 tokens.
fn chain() -> Chain {
    azure_ptu(Ptu::new(20, 3_000).burst_ns(10 * SECOND))
}

#[test]
fn at_exactly_100_percent_a_request_is_accepted_and_above_it_is_refused() {
    let mut chain = chain();
    assert!(chain.admit(0, &Demand::tokens(10_000)).is_ok());
    assert!(chain.admit(0, &Demand::tokens(1)).is_ok());
    // One token above: a millisecond of drain.
    let refusal = chain.admit(0, &Demand::tokens(1)).unwrap_err();
    assert_eq!(refusal.hint_ns(), Some(1_000_000));
    assert!(chain.admit(1_000_000, &Demand::tokens(1)).is_ok());
}

#[test]
fn one_request_may_overfill_the_bucket_and_then_drains_exactly() {
    let mut chain = chain();
    assert!(chain.admit(0, &Demand::tokens(50_000)).is_ok());
    let refusal = chain.admit(SECOND, &Demand::tokens(1)).unwrap_err();
    assert_eq!(refusal.hint_ns(), Some(39 * SECOND));
    assert_eq!(chain.limits()[0].used_per_mille(SECOND), 4_900);
}

#[test]
fn completion_corrects_the_estimate_in_both_directions() {
    let demand = Demand { input_tokens: 1_000, max_tokens: Some(1_000), ..Demand::default() };
    let usage = |output_tokens| Usage { input_tokens: 1_000, output_tokens, ..Usage::default() };

    let mut chain = chain();
    assert!(chain.admit(0, &demand).is_ok()); // 1,000 + 4 x 1,000
    assert_eq!(chain.limits()[0].remaining(0), 5_000);
    chain.correct(0, &demand, &usage(100)); // 1,000 + 4 x 100
    assert_eq!(chain.limits()[0].remaining(0), 8_600);
    chain.correct(0, &demand, &usage(1_500)); // 2,000 more than the estimate
    assert_eq!(chain.limits()[0].remaining(0), 6_600);
}

#[test]
fn a_correction_never_takes_utilisation_below_zero() {
    let mut chain = chain();
    let demand = Demand::tokens(1_000);
    assert!(chain.admit(0, &demand).is_ok());
    chain.correct(MINUTE, &demand, &Usage::default());
    assert_eq!(chain.limits()[0].remaining(MINUTE), 10_000);
}

#[test]
fn a_bucket_without_ptus_never_drains() {
    let mut chain = azure_ptu(Ptu::new(0, 3_000));
    assert!(chain.admit(0, &Demand::tokens(1)).is_ok());
    assert!(chain.admit(MINUTE, &Demand::tokens(1)).unwrap_err().is_never());
}

#[test]
fn a_model_of_the_table_gives_its_rate_and_ratio() {
    let ptu = PtuModel::named("gpt-5.2").expect("in the table").ptu(110);
    assert_eq!((ptu.ptus, ptu.input_tpm_per_ptu, ptu.output_ratio), (110, 3_400, 8));
    assert_eq!(PtuModel::named("gpt-2"), None);
}
