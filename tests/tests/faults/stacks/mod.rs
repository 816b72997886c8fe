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
            bodies: [
                a_body_that_is_cut_is_an_error_and_sent_once,
                a_body_that_is_framed_wrong_is_an_error_and_sent_once,
                an_encoded_error_is_passed_through,
                a_refusal_whose_body_has_no_end_delays_nobody,
            ]
            heads: [
                informational_answers_are_skipped,
                informational_answers_without_end_are_a_timeout,
                ten_thousand_headers_are_bounded_work,
                ninety_hints_are_one,
                bytes_that_are_no_text_are_passed_through,
                what_a_backend_sets_stays_with_it,
            ]
        }
    };
}

/// What runs on those with futures besides.
macro_rules! dropped {
    ($stack:ty) => {
        tests_for! {
            $stack,
            dropped: [
                a_backend_that_never_answers_is_found_by_callers_that_give_up,
                a_request_that_is_dropped_at_any_poll_blames_nobody,
            ]
        }
    };
}

/// What runs over HTTP/1.1 only.
macro_rules! http1 {
    ($stack:ty) => {
        tests_for! {
            $stack,
            framing: [
                an_answer_of_two_lengths_confuses_nobody,
                bytes_after_an_answer_are_no_other_answer,
                a_kept_connection_that_is_forgotten_harms_one_request,
            ]
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

/// What runs over TLS only.
macro_rules! certificates {
    ($stack:ty) => {
        tests_for! {
            $stack,
            certificates: [a_certificate_that_is_not_trusted_fails_over_and_nothing_is_sent]
        }
    };
}

/// What of the above runs over a protocol.
macro_rules! tests_of {
    ($stack:ident, Http2, $also:ident) => {
        streams!($stack);
    };
    ($stack:ident, Tls, streams) => {
        certificates!($stack);
        streams!($stack);
    };
    ($stack:ident, Tls, http1) => {
        certificates!($stack);
        http1!($stack);
    };
}

/// An async stack, over another protocol.
macro_rules! speaking {
    ($protocol:ident, $stack:ident) => {
        use std::sync::Arc;

        use futures::future::LocalBoxFuture;
        use lb_core::Pool;

        use crate::{
            reply::Reply,
            stack::{AsyncStack, Encoded, Failure, Protocol, Settings},
        };

        pub struct $protocol(super::$stack);

        impl AsyncStack for $protocol {
            const TELLS_UNSENT: bool = <super::$stack as AsyncStack>::TELLS_UNSENT;
            const HAS_TLS: bool = <super::$stack as AsyncStack>::HAS_TLS;
            const SPEAKS_HTTP2: bool = <super::$stack as AsyncStack>::SPEAKS_HTTP2;
            const HEADERS_ARE_BYTES: bool = <super::$stack as AsyncStack>::HEADERS_ARE_BYTES;
            const SEES_EXCESS: bool = <super::$stack as AsyncStack>::SEES_EXCESS;
            const DRAINS_BRIEFLY: bool = <super::$stack as AsyncStack>::DRAINS_BRIEFLY;
            const DROPS_WHAT_BROKE: bool = <super::$stack as AsyncStack>::DROPS_WHAT_BROKE;
            const ENCODED_ERRORS: Encoded = <super::$stack as AsyncStack>::ENCODED_ERRORS;
            const PROTOCOL: Protocol = Protocol::$protocol;

            fn new(settings: Settings) -> Self {
                Self(AsyncStack::new(settings))
            }

            fn sending(&self, pool: &Arc<Pool>, id: &str) -> LocalBoxFuture<'static, Result<Reply, Failure>> {
                self.0.sending(pool, id)
            }
        }
    };
}

/// An async stack once more, over another protocol; with `http1` if it speaks no HTTP/2.
macro_rules! over {
    ($module:ident, $protocol:ident, $stack:ident) => {
        over!($module, $protocol, $stack, streams, a_backend_that_limits_its_streams_fails_nobody);
    };
    ($module:ident, $protocol:ident, $stack:ident, $also:ident $(, $limits:ident)?) => {
        mod $module {
            speaking!($protocol, $stack);
            faults!($protocol);
            dropped!($protocol);
            tests_of!($protocol, $protocol, $also);
            $(tests_for! { $protocol, streams: [$limits] })?
        }
    };
}

/// What of TLS is an adapter's own where its client is another stack's here, which runs everything over it: what it makes
/// of a certificate.
macro_rules! over_tls_of_another {
    ($stack:ident) => {
        mod tls {
            speaking!(Tls, $stack);
            certificates!(Tls);
        }
    };
}

/// The same for a blocking stack.
macro_rules! blocking_over {
    ($module:ident, $protocol:ident, $stack:ident) => {
        blocking_over!($module, $protocol, $stack, streams);
    };
    ($module:ident, $protocol:ident, $stack:ident, $also:ident) => {
        mod $module {
            use std::sync::Arc;

            use lb_core::Pool;

            use crate::{
                reply::Reply,
                stack::{Encoded, Failure, Protocol, Settings, Stack},
            };

            pub struct $protocol(super::$stack);

            impl Stack for $protocol {
                const TELLS_UNSENT: bool = <super::$stack as Stack>::TELLS_UNSENT;
                const HAS_TLS: bool = <super::$stack as Stack>::HAS_TLS;
                const SPEAKS_HTTP2: bool = <super::$stack as Stack>::SPEAKS_HTTP2;
                const HEADERS_ARE_BYTES: bool = <super::$stack as Stack>::HEADERS_ARE_BYTES;
                const SEES_EXCESS: bool = <super::$stack as Stack>::SEES_EXCESS;
                const DRAINS_BRIEFLY: bool = <super::$stack as Stack>::DRAINS_BRIEFLY;
                const DROPS_WHAT_BROKE: bool = <super::$stack as Stack>::DROPS_WHAT_BROKE;
                const ENCODED_ERRORS: Encoded = <super::$stack as Stack>::ENCODED_ERRORS;
                const PROTOCOL: Protocol = Protocol::$protocol;

                fn new(settings: Settings) -> Self {
                    Self(Stack::new(settings))
                }

                fn fetch(&self, pool: &Arc<Pool>, id: &str) -> Result<Reply, Failure> {
                    self.0.fetch(pool, id)
                }
            }

            faults!($protocol);
            tests_of!($protocol, $protocol, $also);
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
