//! Sleeping without a runtime.

use std::{
    future::{Future, poll_fn},
    sync::{Arc, Mutex, PoisonError},
    task::{Poll, Waker},
    thread::{self, JoinHandle},
    time::Duration,
};

/// Who sleeps on a thread of its own.
#[derive(Default)]
struct Sleeper {
    is_over: bool,
    waker: Option<Waker>,
}

/// Ends the thread of a sleep that nobody waits for any more.
struct Alarm(JoinHandle<()>);

impl Drop for Alarm {
    fn drop(&mut self) {
        self.0.thread().unpark();
    }
}

/// A sleep on a thread of its own, which begins with the first poll and ends with the sleep, or when that is dropped: what
/// [`Transport::sleep`](crate::Transport::sleep) does by default.
///
/// Where the system gives no thread the calling one sleeps: late is better than never.
#[expect(clippy::disallowed_methods, reason = "it is what waits where a stack has no timer")]
pub fn sleep_on_a_thread(duration: Duration) -> impl Future<Output = ()> + Send {
    let sleeper = Arc::new(Mutex::new(Sleeper::default()));
    let mut alarm = None;
    poll_fn(move |context| {
        let mut sleep = sleeper.lock().unwrap_or_else(PoisonError::into_inner);
        if sleep.is_over {
            return Poll::Ready(());
        }
        sleep.waker = Some(context.waker().clone());
        drop(sleep);
        if alarm.is_none() {
            let sleeper = Arc::downgrade(&sleeper);
            let end = move || {
                thread::park_timeout(duration);
                let Some(sleeper) = sleeper.upgrade() else { return };
                let mut sleep = sleeper.lock().unwrap_or_else(PoisonError::into_inner);
                sleep.is_over = true;
                if let Some(waker) = sleep.waker.take() {
                    waker.wake();
                }
            };
            match thread::Builder::new().name("lb-sleep".to_owned()).spawn(end) {
                Ok(thread) => alarm = Some(Alarm(thread)),
                Err(_) => {
                    thread::sleep(duration);
                    return Poll::Ready(());
                }
            }
        }
        Poll::Pending
    })
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::mpsc::{Sender, channel},
        task::{Context, Wake},
    };

    use super::*;

    struct Tell(Sender<()>);

    impl Wake for Tell {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
        }
    }

    #[test]
    fn it_wakes_who_polled_last_and_is_ready_then() {
        let (tell, told) = channel();
        let waker = Waker::from(Arc::new(Tell(tell)));
        let mut context = Context::from_waker(&waker);
        let mut sleep = pin!(sleep_on_a_thread(Duration::from_millis(20)));
        assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        if sleep.as_mut().poll(&mut context).is_pending() {
            told.recv().unwrap();
            assert!(sleep.as_mut().poll(&mut context).is_ready());
        }
    }
}
