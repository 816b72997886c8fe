//! Every figure here is computed by hand.

use lb_limits::{
    Admit, Chain, Demand, Kind, Limit, MINUTE, Quotas, RequestPeriod, SECOND, Unit, Window, azure_standard,
    azure_standard_with_period,
};

fn requests(limit: u64, length_ns: u64, kind: Kind) -> Chain {
    Chain::new([Window::new(Unit::Requests, limit, length_ns).kind(kind).into()])
}

fn one() -> Demand {
    Demand::default()
}

fn hint(chain: &mut Chain, now: u64, demand: &Demand) -> Option<u64> {
    match chain.admit(now, demand) {
        Ok(()) => Some(0),
        Err(refusal) => refusal.hint_ns(),
    }
}

#[test]
fn a_fixed_window_resets_at_its_phase_and_then_every_length() {
    let mut chain = Chain::new([Window::new(Unit::Requests, 2, 10).phase_ns(3).into()]);
    assert_eq!(hint(&mut chain, 0, &one()), Some(0));
    assert_eq!(hint(&mut chain, 1, &one()), Some(0));
    assert_eq!(hint(&mut chain, 2, &one()), Some(1), "the reset at 3");
    assert_eq!(hint(&mut chain, 3, &one()), Some(0));
    assert_eq!(hint(&mut chain, 12, &one()), Some(0));
    assert_eq!(hint(&mut chain, 12, &one()), Some(1), "the reset at 13");
}

#[test]
fn a_fixed_window_lets_twice_its_limit_through_around_a_reset() {
    let mut chain = requests(2, 10, Kind::Fixed);
    for now in [9, 9, 10, 10] {
        assert_eq!(hint(&mut chain, now, &one()), Some(0));
    }
    assert_eq!(hint(&mut chain, 10, &one()), Some(10));
}

#[test]
fn a_sliding_window_forgets_each_charge_at_its_own_age() {
    let mut chain = requests(2, 10, Kind::Sliding);
    assert_eq!(hint(&mut chain, 0, &one()), Some(0));
    assert_eq!(hint(&mut chain, 4, &one()), Some(0));
    assert_eq!(hint(&mut chain, 9, &one()), Some(1));
    assert_eq!(hint(&mut chain, 10, &one()), Some(0));
    assert_eq!(hint(&mut chain, 10, &one()), Some(4), "the charge of 4");
}

#[test]
fn gcra_refills_one_unit_per_emission_interval_after_the_burst() {
    // 3 per 10 ns: a unit comes back every 3 1/3 ns, so the hints are 4, then 3, then 3.
    let mut chain = requests(3, 10, Kind::Gcra);
    for _ in 0..3 {
        assert_eq!(hint(&mut chain, 0, &one()), Some(0));
    }
    assert_eq!(hint(&mut chain, 0, &one()), Some(4));
    assert_eq!(hint(&mut chain, 4, &one()), Some(0));
    assert_eq!(hint(&mut chain, 4, &one()), Some(3), "at 6 2/3, so 7");
    assert_eq!(chain.limits()[0].resets_at(4), Some(14), "at 13 1/3");
}

#[test]
fn until_reached_lets_the_last_one_overshoot() {
    let tokens = |admit| Chain::new([Window::new(Unit::Tokens, 100, MINUTE).admit(admit).into()]);
    let demand = Demand::tokens(60);

    let mut fits = tokens(Admit::Fits);
    assert_eq!(hint(&mut fits, 0, &demand), Some(0));
    assert_eq!(hint(&mut fits, 0, &demand), Some(MINUTE));

    let mut reached = tokens(Admit::UntilReached);
    assert_eq!(hint(&mut reached, 0, &demand), Some(0));
    assert_eq!(hint(&mut reached, 0, &demand), Some(0));
    assert_eq!(hint(&mut reached, 0, &demand), Some(MINUTE));
    assert_eq!(reached.limits()[0].remaining(0), 0);
}

#[test]
fn gcra_until_reached_admits_as_soon_as_a_fraction_of_a_unit_is_back() {
    let window = Window::new(Unit::Requests, 2, 10).kind(Kind::Gcra).admit(Admit::UntilReached);
    let mut chain = Chain::new([window.into()]);
    assert_eq!(hint(&mut chain, 0, &one()), Some(0));
    assert_eq!(hint(&mut chain, 0, &one()), Some(0));
    assert_eq!(hint(&mut chain, 0, &one()), Some(1), "a fifth is back at 1");
    assert_eq!(hint(&mut chain, 1, &one()), Some(0));
    assert_eq!(hint(&mut chain, 1, &one()), Some(5), "at 5 it is exactly 2, so 6");
}

#[test]
fn a_request_larger_than_the_limit_is_never_admitted() {
    for kind in [Kind::Fixed, Kind::Sliding, Kind::Gcra] {
        let window = Window::new(Unit::Tokens, 100, MINUTE).kind(kind);
        let mut chain = Chain::new([window.into()]);
        assert!(chain.admit(0, &Demand::tokens(101)).unwrap_err().is_never());
        assert!(chain.admit(0, &Demand::tokens(100)).is_ok());
    }
}

#[test]
fn a_counted_refusal_of_a_sliding_window_delays_itself() {
    let window = Window::new(Unit::Requests, 1, 10).kind(Kind::Sliding).counts_refused(true);
    let mut chain = Chain::new([window.into()]);
    assert_eq!(hint(&mut chain, 0, &one()), Some(0));
    // The refusal at 4 counts until 14.
    assert_eq!(hint(&mut chain, 4, &one()), Some(10));
    assert_eq!(hint(&mut chain, 13, &one()), Some(10));
    assert_eq!(hint(&mut chain, 23, &one()), Some(0));
}

#[test]
fn a_refusal_charges_only_the_windows_that_count_refused_requests() {
    let mut chain = Chain::new([
        Window::new(Unit::Tokens, 100, MINUTE).into(),
        Window::new(Unit::Requests, 10, MINUTE).counts_refused(true).into(),
    ]);
    assert!(chain.admit(0, &Demand::tokens(90)).is_ok());
    let refusal = chain.admit(0, &Demand::tokens(20)).unwrap_err();
    assert_eq!(refusal.limit(), 0);
    let remaining: Vec<_> = chain.limits().iter().map(|limit| limit.remaining(0)).collect();
    assert_eq!(remaining, [10, 8]);
}

#[test]
fn the_refusal_names_the_limit_with_the_longest_wait() {
    let mut chain =
        Chain::new([Window::new(Unit::Requests, 1, 10 * SECOND).into(), Window::new(Unit::Tokens, 100, MINUTE).into()]);
    assert!(chain.admit(0, &Demand::tokens(100)).is_ok());
    let refusal = chain.admit(SECOND, &Demand::tokens(1)).unwrap_err();
    assert_eq!((refusal.limit(), refusal.hint_ns()), (1, Some(59 * SECOND)));
}

#[test]
fn the_azure_preset_counts_requests_in_ten_seconds_and_tokens_in_a_minute() {
    // 20,000 TPM come with 120 RPM; live deployments then show a request limit of 20.
    let chain = azure_standard(20_000, 120, 0);
    let limits: Vec<_> = chain.limits().iter().map(Limit::limit).collect();
    assert_eq!(limits, [20_000, 20]);

    let chain = azure_standard_with_period(100_000, 600, 0, RequestPeriod::OneSecond);
    assert_eq!(chain.limits()[1].limit(), 10);
    assert_eq!(azure_standard(1, 1, 0).limits()[1].limit(), 1);
}

#[test]
fn remaining_and_reset_tell_what_the_headers_show() {
    let mut chain = azure_standard(1_000, 60, 0);
    assert!(chain.admit(5 * SECOND, &Demand::tokens(400)).is_ok());
    let [tokens, requests] = chain.limits() else {
        panic!("two limits");
    };
    assert_eq!((tokens.remaining(6 * SECOND), tokens.resets_at(6 * SECOND)), (600, Some(MINUTE)));
    assert_eq!((requests.remaining(6 * SECOND), requests.resets_at(6 * SECOND)), (9, Some(10 * SECOND)));
    assert_eq!((requests.remaining(10 * SECOND), requests.resets_at(10 * SECOND)), (10, Some(10 * SECOND)));
}

#[test]
fn two_deployments_on_one_quota_share_its_limit() {
    let mut quotas = Quotas::default();
    let first = quotas.add("eastus/gpt-4o", azure_standard(1_000, 600, 0));
    let other = quotas.add("eastus/gpt-4.1", azure_standard(1_000, 600, 0));
    assert_eq!(quotas.id("eastus/gpt-4o"), Some(first));
    assert!(quotas.admit(first, 0, &Demand::tokens(1_000)).is_ok());
    assert!(quotas.admit(first, 0, &Demand::tokens(1)).is_err());
    assert!(quotas.admit(other, 0, &Demand::tokens(1)).is_ok());
}

#[test]
fn a_clock_that_goes_back_neither_refunds_nor_panics() {
    for kind in [Kind::Fixed, Kind::Sliding, Kind::Gcra] {
        let mut chain = requests(1, 10, kind);
        assert_eq!(hint(&mut chain, 25, &one()), Some(0));
        assert!(hint(&mut chain, 5, &one()) >= Some(20), "{kind:?}");
    }
}
