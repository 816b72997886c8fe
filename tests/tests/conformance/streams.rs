//! HTTP/2's own way to say no: what it says was not processed is sent again.

use lb_core::Fault;
use lb_emulator::{Reply, h2::Reason};

use crate::{
    protocol::Protocol,
    stack::{Call, Failure, SocketStack, backend, pool, snapshot},
    upstream::Upstream,
};

/// Sends to a backend that answers so, and to another; expects one answer, and nobody blamed, if the stack can tell.
fn expect_sent_again<S: SocketStack>(protocol: Protocol, refusal: Reply) {
    let stack = S::new(protocol);
    let (first, second) = (stack.upstream("first"), stack.upstream("second"));
    first.emulator.script(refusal);
    let (pool, _) = pool([backend(&first, 1), backend(&second, 2)]);
    let result = stack.send(&pool, Call::chat());
    assert_eq!(first.emulator.refused_streams(), 1);
    let received = first.received().len() + second.received().len();
    let first = snapshot(&pool, "first");
    if S::TELLS_REFUSED_STREAMS {
        // By the next backend, or by the first one if the client below the balancer asks it again.
        assert_eq!(result.unwrap().status, 200);
        assert_eq!((received, first.strikes, first.state.remaining()), (1, 0, None));
    } else {
        assert!(matches!(result, Err(Failure::Transport(Fault::Reset))), "{result:?}");
        assert_eq!((received, first.strikes), (0, 1));
    }
}

pub fn a_refused_stream_is_sent_again_and_blames_nobody<S: SocketStack>(protocol: Protocol) {
    expect_sent_again::<S>(protocol, Reply::refuse_stream());
}

pub fn a_stream_behind_a_goaway_is_sent_again_and_blames_nobody<S: SocketStack>(protocol: Protocol) {
    expect_sent_again::<S>(protocol, Reply::go_away_before(Reason::NO_ERROR));
}

macro_rules! streams {
    ($stack:ty, $protocol:expr) => {
        tests_for!(
            $stack,
            $protocol,
            streams,
            [
                a_refused_stream_is_sent_again_and_blames_nobody,
                a_stream_behind_a_goaway_is_sent_again_and_blames_nobody,
            ]
        );
    };
}
pub(crate) use streams;
