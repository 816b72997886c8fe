//! What holds for every sequence of requests.

use std::collections::BTreeMap;

use lb_limits::{Admit, Chain, Demand, Kind, Limit, Ptu, Unit, Usage, Window};
use proptest::prelude::*;

/// Values at every scale, with the edges of `u64` as likely as the small ones.
fn any_scale() -> impl Strategy<Value = u64> {
    prop_oneof![0..20_u64, 0..10_000_u64, any::<u64>(), (u64::MAX - 20)..=u64::MAX]
}

fn window<V: Strategy<Value = u64> + Clone>(values: V) -> impl Strategy<Value = Window> {
    (
        prop_oneof![Just(Unit::Requests), Just(Unit::Tokens)],
        values.clone(),
        values.clone(),
        prop_oneof![Just(Kind::Fixed), Just(Kind::Sliding), Just(Kind::Gcra)],
        values,
        prop_oneof![Just(Admit::Fits), Just(Admit::UntilReached)],
        any::<bool>(),
    )
        .prop_map(|(unit, limit, length, kind, phase, admit, counts)| {
            Window::new(unit, limit, length).kind(kind).phase_ns(phase).admit(admit).counts_refused(counts)
        })
}

fn limit<V: Strategy<Value = u64> + Clone + 'static>(values: V) -> impl Strategy<Value = Limit> {
    let ptu = (values.clone(), values.clone(), values.clone())
        .prop_map(|(ptus, rate, burst)| Ptu::new(ptus, rate).burst_ns(burst).into());
    prop_oneof![3 => window(values).prop_map(Limit::from), 1 => ptu]
}

fn chain<V: Strategy<Value = u64> + Clone + 'static>(values: V) -> impl Strategy<Value = Chain> {
    prop::collection::vec(limit(values), 0..4).prop_map(Chain::new)
}

/// Gaps between requests, and their tokens.
fn arrivals(gaps: impl Strategy<Value = u64>) -> impl Strategy<Value = Vec<(u64, u64)>> {
    prop::collection::vec((gaps, 0..40_u64), 1..60)
}

proptest! {
    #[test]
    fn a_request_at_now_plus_hint_is_admitted_and_one_nanosecond_earlier_it_is_not(
        mut chain in chain(prop_oneof![0..60_u64, any_scale()].boxed()),
        arrivals in prop::collection::vec((any_scale(), any_scale()), 1..40),
    ) {
        let mut now = 0_u64;
        for (gap, tokens) in arrivals {
            // Small steps are the interesting ones once the clock is far.
            now = now.saturating_add(if now > 1_000 { gap % 50 } else { gap });
            let demand = Demand::tokens(tokens);
            let Err(refusal) = chain.admit(now, &demand) else { continue };
            match refusal.hint_ns() {
                Some(hint) => {
                    prop_assert!(hint > 0);
                    prop_assert!(chain.clone().admit(now + hint - 1, &demand).is_err());
                    prop_assert!(chain.clone().admit(now + hint, &demand).is_ok());
                }
                None => prop_assert!(chain.clone().admit(u64::MAX, &demand).is_err()),
            }
        }
    }

    #[test]
    fn a_fixed_window_never_admits_more_than_its_limit_between_two_resets(
        limit in 0..100_u64, length in 1..50_u64, phase in 0..100_u64, arrivals in arrivals(0..10_u64),
    ) {
        let mut chain = Chain::new([Window::new(Unit::Tokens, limit, length).phase_ns(phase).into()]);
        let (mut now, mut admitted) = (0, BTreeMap::new());
        for (gap, tokens) in arrivals {
            now += gap;
            // The number of the reset before `now`, counted from far before time zero.
            let window = (now + 100 * length - phase) / length;
            let used = admitted.entry(window).or_insert(0_u64);
            let fits = *used + tokens <= limit;
            prop_assert_eq!(chain.admit(now, &Demand::tokens(tokens)).is_ok(), fits);
            if fits { *used += tokens; }
        }
    }

    #[test]
    fn a_sliding_window_admits_exactly_what_a_scan_of_the_whole_history_admits(
        limit in 0..100_u64, length in 1..50_u64, arrivals in arrivals(0..10_u64),
    ) {
        let mut chain = Chain::new([Window::new(Unit::Tokens, limit, length)
            .kind(Kind::Sliding).into()]);
        let (mut now, mut history) = (0, Vec::new());
        for (gap, tokens) in arrivals {
            now += gap;
            let used: u64 = history.iter().filter(|(time, _)| time + length > now)
                .map(|(_, tokens)| tokens).sum();
            let fits = used + tokens <= limit;
            prop_assert_eq!(chain.limits()[0].remaining(now), limit - used);
            prop_assert_eq!(chain.admit(now, &Demand::tokens(tokens)).is_ok(), fits);
            if fits { history.push((now, tokens)); }
        }
    }

    #[test]
    fn gcra_admits_no_more_than_a_burst_and_what_refills(
        limit in 1..100_u64, length in 1..50_u64, arrivals in arrivals(0..10_u64),
    ) {
        let mut chain = Chain::new([Window::new(Unit::Tokens, limit, length)
            .kind(Kind::Gcra).into()]);
        let (mut now, mut admitted) = (0, Vec::new());
        for (gap, tokens) in arrivals {
            now += gap;
            if chain.admit(now, &Demand::tokens(tokens)).is_ok() { admitted.push((now, tokens)); }
        }
        for (index, &(start, _)) in admitted.iter().enumerate() {
            let mut sum = 0;
            for &(time, tokens) in &admitted[index..] {
                sum += tokens;
                // sum <= limit + limit * elapsed / length, without the division.
                prop_assert!(sum * length <= limit * (length + time - start));
            }
        }
    }

    #[test]
    fn a_chain_charges_all_of_its_limits_or_none(
        windows in prop::collection::vec(window((0..60_u64).boxed()), 0..4),
        arrivals in arrivals(0..10_u64),
    ) {
        let windows = windows.into_iter().map(|window| window.counts_refused(false));
        let mut chain = Chain::new(windows.map(Limit::from));
        let mut now = 0;
        for (gap, tokens) in arrivals {
            now += gap;
            let demand = Demand::tokens(tokens);
            let before = chain.clone();
            let expected = before.limits().iter().all(|limit| limit.admits_at(now, &demand) == Some(now));
            prop_assert_eq!(chain.admit(now, &demand).is_ok(), expected);
            if expected {
                for (limit, before) in chain.limits().iter().zip(before.limits()) {
                    let cost = match limit.unit() { Unit::Requests => 1, Unit::Tokens => tokens };
                    // GCRA rounds what remains down, and an overshoot stops at zero.
                    prop_assert_eq!(limit.remaining(now), before.remaining(now).saturating_sub(cost));
                }
            } else {
                prop_assert_eq!(&chain, &before);
            }
        }
    }

    #[test]
    fn an_untouched_limit_is_whole_again_at_its_reset_and_not_earlier(
        limit in window((1..60_u64).boxed()), arrivals in arrivals(0..10_u64),
    ) {
        let mut chain = Chain::new([limit.into()]);
        let mut now = 0;
        for (gap, tokens) in arrivals {
            now += gap;
            let _ = chain.admit(now, &Demand::tokens(tokens));
            let limit = &chain.limits()[0];
            let reset = limit.resets_at(now).expect("small numbers");
            prop_assert_eq!(limit.remaining(reset), limit.limit());
            if reset > now { prop_assert!(limit.remaining(reset - 1) < limit.limit()); }
        }
    }

    #[test]
    fn nothing_panics_whatever_the_numbers_and_however_the_clock_jumps(
        mut chain in chain(any_scale().boxed()),
        steps in prop::collection::vec((any_scale(), any_scale(), any_scale(), any_scale()), 1..40),
    ) {
        for (now, tokens, cached_tokens, max) in steps {
            let demand = Demand {
                tokens, input_tokens: tokens, cached_tokens, max_tokens: (max % 3 > 0).then_some(max),
            };
            let _ = chain.admit(now, &demand);
            chain.correct(now, &demand, &Usage { input_tokens: max, cached_tokens, output_tokens: now });
            for limit in chain.limits() {
                let _ = (limit.remaining(now), limit.resets_at(now), limit.used_per_mille(now));
                prop_assert!(limit.remaining(now) <= limit.limit());
                prop_assert!(limit.admits_at(now, &demand).is_none_or(|moment| moment >= now));
            }
        }
    }
}
