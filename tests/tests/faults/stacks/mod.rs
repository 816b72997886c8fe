//! The stacks, and which tests run on each.

/// One `#[test]` per scenario, for one stack.
macro_rules! tests_for {
    ($stack:ty, $($module:ident: [$($name:ident),+ $(,)?])+) => {
        $($(
            #[test]
            fn $name() {
                $crate::$module::$name::<$stack>();
            }
        )+)+
    };
}

/// What runs on every stack.
macro_rules! faults {
    ($stack:ty) => {
        tests_for! {
            $stack,
            sick: [
                a_backend_that_closes_at_once_harms_two_requests,
                a_backend_that_resets_at_once_harms_two_requests,
                a_backend_that_closes_after_reading_harms_two_requests,
                a_backend_that_resets_after_reading_harms_two_requests,
                a_backend_that_answers_garbage_harms_two_requests,
                a_backend_that_answers_too_large_a_head_harms_two_requests,
                a_backend_that_never_answers_harms_two_requests,
            ]
            kinds: [
                each_way_to_fail_is_the_fault_that_it_is,
                a_connect_that_hangs_is_told_from_one_that_is_refused,
            ]
        }
    };
}

/// What runs on those with futures besides.
macro_rules! dropped {
    ($stack:ty) => {
        tests_for! { $stack, dropped: [a_backend_that_never_answers_is_found_by_callers_that_give_up] }
    };
}

mod async_openai;
mod azure;
mod isahc;
mod isahc_blocking;
mod reqwest;
mod reqwest_blocking;
mod reqwest_middleware;
mod reqwest_tower;
mod rig;
mod tower;
mod tower_layer;
