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
                a_tls_handshake_that_hangs_fails_over,
                a_timeout_before_anything_was_sent_fails_over_where_that_is_known,
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

/// An async stack once more, over HTTP/2.
macro_rules! http2 {
    ($stack:ident) => {
        mod http2 {
            use std::sync::Arc;

            use futures::future::LocalBoxFuture;
            use lb_core::Pool;

            use crate::stack::{AsyncStack, Failure, Protocol, Settings};

            pub struct Http2(super::$stack);

            impl AsyncStack for Http2 {
                const TELLS_UNSENT: bool = <super::$stack as AsyncStack>::TELLS_UNSENT;
                const PROTOCOL: Protocol = Protocol::Http2;

                fn new(settings: Settings) -> Self {
                    Self(AsyncStack::new(settings))
                }

                fn sending(&self, pool: &Arc<Pool>, id: &str) -> LocalBoxFuture<'static, Result<u16, Failure>> {
                    self.0.sending(pool, id)
                }
            }

            faults!(Http2);
            dropped!(Http2);
            streams!(Http2);
            tests_for! { Http2, streams: [a_backend_that_limits_its_streams_fails_nobody] }
        }
    };
}

/// What runs over HTTP/2 only.
macro_rules! streams {
    ($stack:ty) => {
        tests_for! {
            $stack,
            streams: [
                one_refused_stream_goes_to_the_next_backend_and_blames_nobody,
                a_connection_that_goes_away_before_a_stream_blames_nobody,
                a_backend_that_refuses_every_stream_is_suspect_after_sixteen,
                the_only_backend_is_asked_once_more,
                what_may_have_been_processed_is_sent_once,
                a_connection_that_falls_silent_is_given_up,
            ]
        }
    };
}

mod async_openai;
mod azure;
pub mod isahc;
mod isahc_blocking;
pub mod reqwest;
mod reqwest_blocking;
mod reqwest_middleware;
mod reqwest_tower;
mod rig;
mod tower;
mod tower_layer;
