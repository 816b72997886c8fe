//! Selection: who is picked, how often, and on which grounds.

use proptest::{prelude::*, strategy::ValueTree};

use crate::{
    case::case,
    cases,
    history::{History, What},
};

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn the_pick_is_of_the_best_priority_among_the_available_untried_backends(case in case()) {
        let history = case.play();
        for pick in history.picks() {
            let candidates = history.candidates(pick.request, pick.at, pick.now);
            prop_assert!(candidates.contains(&pick.backend), "b{} is none of {candidates:?}", pick.backend);
        }
    }

    #[test]
    fn no_request_is_sent_to_a_backend_before_its_deadline(case in case()) {
        let history = case.play();
        for pick in history.picks() {
            let deadline = history.deadline(pick.backend, pick.at);
            prop_assert!(deadline <= pick.now, "b{} is out until {deadline}, and it is {}", pick.backend, pick.now);
        }
    }

    #[test]
    fn a_request_is_never_given_up_while_a_healthy_untried_backend_exists(case in case()) {
        let history = case.play();
        for end in history.ends() {
            let answers = history.answers(end.request, end.at);
            if answers.last().is_none_or(|last| !history.is_final(end.request, last)) {
                let left = history.candidates(end.request, end.at, end.now);
                prop_assert!(left.is_empty(), "{left:?} were left");
            }
        }
    }

    #[test]
    fn a_request_goes_on_only_after_an_answer_that_fails_over(case in case()) {
        let history = case.play();
        for pick in history.picks().filter(|pick| pick.number > 1) {
            let answers = history.answers(pick.request, pick.at);
            prop_assert_eq!(answers.len(), pick.number as usize - 1);
            for answer in answers {
                prop_assert!(!history.is_final(pick.request, answer), "{answer:?} was the caller's");
            }
        }
    }

    #[test]
    fn attempts_are_bounded_and_each_backend_is_tried_at_most_once_per_request(case in case()) {
        let history = case.play();
        for request in 0..history.asks.len() {
            let mut tried = history.tried(request, history.records.len());
            prop_assert!(tried.len() <= history.limit());
            let numbers: Vec<_> = history.picks().filter(|p| p.request == request).map(|p| p.number).collect();
            prop_assert!(numbers.iter().copied().eq(1..=u32::try_from(tried.len()).unwrap()), "{numbers:?}");
            tried.sort_unstable();
            tried.dedup();
            prop_assert_eq!(tried.len(), numbers.len());
        }
    }

    #[test]
    fn a_single_candidate_draws_no_randomness_and_a_choice_draws_some(case in case()) {
        let history = case.play();
        for pick in history.picks() {
            let choice = history.candidates(pick.request, pick.at, pick.now).len();
            prop_assert_eq!(pick.draws > 0, choice > 1, "{} draws for {} candidates", pick.draws, choice);
        }
    }

    #[test]
    fn the_same_case_gives_the_same_events_to_the_byte(case in case()) {
        prop_assert_eq!(case.play().log, case.play().log);
    }
}

/// The other properties say nothing about what never happens: here it is seen to happen.
#[test]
fn the_generated_histories_reach_every_kind_of_moment() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut count = std::collections::BTreeMap::<&str, u32>::new();
    let mut saw = |what, times: usize| *count.entry(what).or_default() += u32::try_from(times).unwrap();
    for _ in 0..200 {
        let case = case().new_tree(&mut runner).unwrap().current();
        let history = case.play();
        let of = |is: fn(&What) -> bool| history.records.iter().filter(|(_, what)| is(what)).count();
        saw("picks", of(|what| matches!(what, What::Picked { .. })));
        saw("second attempts", history.picks().filter(|pick| pick.number == 2).count());
        saw("fourth attempts", history.picks().filter(|pick| pick.number == 4).count());
        saw("drops", of(|what| matches!(what, What::Dropped { .. })));
        let starts_with = |word: &str| history.log.iter().filter(|line| line.starts_with(word)).count();
        saw("cooldowns", starts_with("cooling"));
        saw("recoveries", starts_with("available"));
        saw("synthesised", history.log.iter().filter(|line| line.contains(" synthesised ")).count());
        saw("last", history.log.iter().filter(|line| line.contains(" last ")).count());
        let is_skipped = |pick: &crate::history::Pick<'_>| {
            history.backends().any(|backend| !history.is_available(backend, pick.at, pick.now))
        };
        saw("picks while something cools", history.picks().filter(is_skipped).count());
        let is_exact = |pick: &crate::history::Pick<'_>| history.deadline(pick.backend, pick.at) == pick.now;
        saw("picks at the very deadline", history.picks().filter(is_exact).count());
        let is_choice = |pick: &crate::history::Pick<'_>| history.candidates(pick.request, pick.at, pick.now).len() > 1;
        saw("choices", history.picks().filter(is_choice).count());
        let settled = history.records.iter().enumerate().filter_map(|(at, (now, what))| match what {
            What::Settled { backend, answer, .. } => Some((at, *now, *backend, answer)),
            _ => None,
        });
        for (at, now, backend, answer) in settled {
            let out = history.deadline(backend, at);
            if let Some(cooldown) = history.cooldown_nanos(answer) {
                saw("stragglers that would shorten", usize::from(out > now + cooldown));
                saw("stragglers that extend", usize::from(out > now && out < now + cooldown));
                saw("hints of zero", usize::from(cooldown == 0));
            } else if History::counted_as(answer) == "successes" {
                saw("late successes", usize::from(out > now));
            }
        }
    }
    eprintln!("{count:#?}");
    assert!(count.values().all(|&times| times >= 20), "{count:#?}");
    assert_eq!(count.len(), 15);
}
