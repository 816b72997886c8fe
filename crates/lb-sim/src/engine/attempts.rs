//! A request's way: over the pool, from try to try, to its end.

use lb_core::{Dispatch, Fault, Instant, Outcome, Step, Verdict};
use lb_limits::Hint;

use super::{
    Engine,
    pools::Change,
    queue::Event,
    request::{End, Head, TryEnd},
    sdk_retry,
    wishes::Wishing,
};
use crate::{
    deployment::{Answer, Call, Service},
    journal::{Entry, NO_BACKEND},
    random::{Purpose, unit},
};

impl Engine<'_, '_> {
    /// The application's call, or the SDK's next one: a new walk over the pool.
    pub(super) fn begin_try(&mut self, id: u32) {
        let request = &mut self.requests[id];
        request.last_end = TryEnd::Throttled(Hint::default());
        let Some((_, pool)) = self.pools.of(request.worker) else { return self.advance(id) };
        let place = id as usize;
        if self.dispatches.len() <= place {
            self.dispatches.resize_with(place + 1, || None);
        }
        let dispatch = &mut self.dispatches[place];
        debug_assert!(dispatch.is_none(), "one try at a time");
        match &self.classes[request.arrival.workload as usize].wishing {
            // Written in place: it is large, and here there is none to drop.
            None => _ = dispatch.get_or_insert_with(|| Dispatch::new(pool)),
            Some(wishing) => *dispatch = Some(wishing.dispatch(pool, request, &self.scenario.backends)),
        }
        self.advance(id);
    }

    /// Sends the request to the next backend, until one lets it wait for an answer or none is left.
    pub(super) fn advance(&mut self, id: u32) {
        while let Some(backend) = self.next_backend(id) {
            match self.send(id, backend) {
                Some(head) if self.answered(id, head) => {}
                _ => return,
            }
        }
    }

    /// The backend that the balancer names; without one the try is over.
    fn next_backend(&mut self, id: u32) -> Option<usize> {
        let now = self.now;
        let request = &mut self.requests[id];
        let Some(dispatch) = self.dispatches.get_mut(id as usize).and_then(Option::as_mut) else {
            // Without a balancer the first attempt is the only one.
            let direct = self.classes[request.arrival.workload as usize].direct;
            if let Some(backend) = direct.filter(|_| !request.is_sent) {
                return Some(backend);
            }
            let end = request.last_end;
            self.end_try(id, end);
            return None;
        };
        let rng = self.draws.lazy_rng(Purpose::Choice, request.key, u64::from(request.attempts));
        let end = match dispatch.next(|| Instant::from_nanos(now), &rng) {
            Step::Try(attempt) => return Some(self.pools.backend(request.worker, attempt.slot())),
            Step::ReturnLast(_) => request.last_end,
            Step::Wait(until) => {
                self.wait(id, until.as_nanos());
                return None;
            }
            Step::Exhausted(exhausted) => {
                // All are drained: nothing here does that.
                let delay = exhausted.retry_after().unwrap_or_default();
                let delay = u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX);
                self.journal.note(now, Entry::Exhausted, &request.arrival, request.attempts, NO_BACKEND, delay);
                let hint = Hint {
                    millis: exhausted.retry_after_millis(),
                    seconds: exhausted.retry_after_secs(),
                    ..Hint::default()
                };
                match exhausted.status().as_u16() {
                    429 => TryEnd::Throttled(hint),
                    status => TryEnd::ServerError(status, hint),
                }
            }
        };
        self.end_try(id, end);
        None
    }

    /// The request waits in its pool, and asks it again at `until`; its caller may leave before.
    #[cold]
    fn wait(&mut self, id: u32, until: u64) {
        let request = &mut self.requests[id];
        self.journal.note(self.now, Entry::Queued, &request.arrival, request.attempts, NO_BACKEND, until);
        self.recorder.queued(request, self.now);
        if until <= request.deadline {
            self.queue.push(until, Event::Resume(id));
        } else {
            request.alarm = self.queue.push(request.deadline, Event::Alarm(id));
        }
        request.waited += until.min(request.deadline) - self.now;
    }

    /// Offers the request to a backend. Gives the head of the answer if it is back at once.
    fn send(&mut self, id: u32, backend: usize) -> Option<Head> {
        let now = self.now;
        let request = &mut self.requests[id];
        let attempt = request.attempts;
        request.attempts += 1;
        request.is_sent = true;
        request.backend = backend;
        request.sent = now;
        self.journal.note(now, Entry::Sent, &request.arrival, attempt, backend, 0);
        let workload = request.arrival.workload;
        let class = &self.classes[workload as usize];
        let keys = class.wishing.as_ref().and_then(Wishing::keys);
        if let Some(keys) = keys {
            let prompt = (backend, workload, request.conversation);
            request.arrival.size.cached = self.caches.cached(prompt, keys, request.arrival.size.input, now);
        }
        let call = Call { size: request.arrival.size, key: request.key, attempt: u64::from(attempt), ..class.call };
        let server = &mut self.servers[backend];
        match server.offer(now, &call, id, self.draws, &mut self.quotas, &mut self.outages) {
            Answer::Served(service) => {
                self.let_in(id, service);
                self.start(id);
                None
            }
            answer => self.not_served(id, answer),
        }
    }

    /// A backend lets the request in.
    #[inline(always)]
    fn let_in(&mut self, id: u32, service: Service) {
        let now = self.now;
        let request = &mut self.requests[id];
        (request.service, request.has_work) = (service, true);
        self.recorder.let_in(request, now);
        let workload = request.arrival.workload;
        if let Some(keys) = self.classes[workload as usize].wishing.as_ref().and_then(Wishing::keys) {
            let prompt = (request.backend, workload, request.conversation);
            self.caches.used(prompt, keys, now, now.saturating_add(service.first));
        }
    }

    /// A backend does not serve a request at once. Gives the head of the answer if it is back at once.
    ///
    /// Apart, as all else that is seldom: where it stood among what every request does, that was the slower for it.
    #[inline(never)]
    fn not_served(&mut self, id: u32, answer: Answer) -> Option<Head> {
        let request = &mut self.requests[id];
        let refusal_latency = self.servers[request.backend].refusal_latency();
        self.recorder.not_let_in(request, self.now, &answer);
        let class = &self.classes[request.arrival.workload as usize];
        let (head, delay) = match answer {
            Answer::Served(service) | Answer::Queued(service) => {
                self.let_in(id, service);
                self.set_alarm(id);
                return None;
            }
            Answer::Refused { advice, in_stream: false } => (Head::Throttled(advice), refusal_latency),
            Answer::Refused { advice, in_stream: true } => {
                let is_seen = class.peeks && class.call.stream && advice.announces_refusal();
                (if is_seen { Head::Throttled(advice) } else { Head::RefusedInStream(advice) }, refusal_latency)
            }
            Answer::Broken { status: 429, advice, after } => (Head::Throttled(advice), after),
            Answer::Broken { status, advice, after } => (Head::Broken(status, advice), after),
            Answer::Faulted { fault, after } => (Head::Faulted(fault), after),
            Answer::Hangs => {
                self.set_alarm(id);
                return None;
            }
        };
        if delay == 0 {
            return Some(head);
        }
        request.head = head;
        let at = self.now.saturating_add(delay);
        if at <= request.patience(class.timeout) {
            self.queue.push(at, Event::Head(id));
        } else {
            self.set_alarm(id);
        }
        None
    }

    /// The head of an answer that is no success is here, or a fault: tells the balancer. Whether the request goes on to the
    /// next backend.
    pub(super) fn answered(&mut self, id: u32, head: Head) -> bool {
        let now = self.now;
        let request = &mut self.requests[id];
        let backend = request.backend;
        let (entry, detail) = head.entry();
        self.journal.note(now, entry, &request.arrival, request.attempts - 1, backend, detail);
        let outcome = head.outcome();
        self.recorder.answered(request, head);
        let verdict = self.settle(id, outcome);
        let request = &mut self.requests[id];
        match head {
            Head::RefusedInStream(_) => self.end_try(id, TryEnd::RefusedInStream),
            Head::Throttled(_) | Head::Broken(..) | Head::Faulted(_) => {
                request.last_end = head.try_end();
                match verdict {
                    Verdict::FailOver => return true,
                    Verdict::Return => {
                        let end = request.last_end;
                        self.end_try(id, end);
                    }
                }
            }
        }
        false
    }

    /// Tells the balancer how the open attempt ended, and takes note of what became of its backend.
    pub(super) fn settle(&mut self, id: u32, outcome: Outcome) -> Verdict {
        let now = self.now;
        let Some(dispatch) = self.dispatches.get_mut(id as usize).and_then(Option::as_mut) else {
            return Verdict::Return;
        };
        // Cooldowns that were found to be over: the recorder knows when they end.
        let _ = self.pools.take_change();
        let verdict = dispatch.settle(outcome, || Instant::from_nanos(now));
        let Some(change) = self.pools.take_change() else { return verdict };
        let request = &self.requests[id];
        let pool = self.pools.of(request.worker).map_or(0, |(number, _)| number);
        let place = (pool, request.backend);
        let mut told = None;
        let noted = match change {
            Change::Cooling(until) => {
                self.recorder.cooling(place, now, until);
                told = Some((request.worker, until));
                Some((Entry::Cooling, until))
            }
            Change::Suspected(probe_at) => {
                self.recorder.suspected(place, now);
                Some((Entry::Suspected, probe_at))
            }
            Change::Available => self.recorder.acquitted(place, now).then_some((Entry::Available, 0)),
        };
        if let Some((entry, detail)) = noted {
            self.journal.note(now, entry, &request.arrival, request.attempts - 1, request.backend, detail);
        }
        if let Some((worker, until)) = told {
            self.tell_others(worker, place, until);
        }
        verdict
    }

    /// Ends the wait for an answer that may not come.
    pub(super) fn set_alarm(&mut self, id: u32) {
        let request = &mut self.requests[id];
        let at = request.patience(self.classes[request.arrival.workload as usize].timeout);
        request.alarm = if at == u64::MAX { 0 } else { self.queue.push(at, Event::Alarm(id)) };
    }

    /// A request's patience is over: its caller's, or its client's with this attempt.
    pub(super) fn alarm(&mut self, id: u32, sequence: u64) {
        let request = &mut self.requests[id];
        if request.alarm != sequence {
            return;
        }
        request.alarm = 0;
        if self.now >= request.deadline {
            self.give_up(id, End::Deadline);
            return;
        }
        let id = self.leave_work(id);
        if self.answered(id, Head::Faulted(Fault::Timeout)) {
            self.advance(id);
        }
    }

    /// The balancer's last word on this try: the SDK sends again after a wait, or the application gets it.
    #[inline(never)]
    fn end_try(&mut self, id: u32, end: TryEnd) {
        self.end_dispatch(id);
        let request = &mut self.requests[id];
        request.is_sent = false;
        let class = &self.classes[request.arrival.workload as usize];
        let wait = match class.retry {
            Some(retry) => retry.times.is_none_or(|times| request.retries < times).then_some(retry.wait.as_nanos()),
            // To an SDK that was an answer.
            None if matches!(end, TryEnd::RefusedInStream) => None,
            None => {
                let jitter = unit(self.draws.bits(Purpose::Backoff, request.key, u64::from(request.retries)));
                sdk_retry::wait(class.sdk, class.max_retries, request.retries, end.hint(), jitter)
            }
        };
        let Some(wait) = wait else { return self.give_up(id, end.into()) };
        let at = self.now.saturating_add(wait);
        request.retries += 1;
        self.recorder.retries(request);
        self.journal.note(self.now, Entry::Waits, &request.arrival, request.attempts, NO_BACKEND, at);
        if at <= request.deadline {
            self.queue.push(at, Event::Retry(id));
        } else {
            request.alarm = self.queue.push(request.deadline, Event::Alarm(id));
        }
    }

    /// The application gets no success.
    #[inline(never)]
    fn give_up(&mut self, id: u32, end: End) {
        // As a dropped future does it, but for the time: the pool's own clock stands still.
        let _ = self.settle(id, Outcome::Cancelled);
        self.end_dispatch(id);
        let request = &mut self.requests[id];
        request.has_caller = false;
        request.alarm = 0;
        self.journal.note(self.now, Entry::GaveUp, &request.arrival, request.attempts, NO_BACKEND, end.code());
        self.recorder.gave_up(request, end, self.now);
        self.traffic.finished(request.arrival.workload, request.arrival.number, self.now);
        // What a backend still does with it keeps its number.
        if !request.has_work {
            self.requests.release(id);
        }
    }

    pub(super) fn end_dispatch(&mut self, id: u32) {
        if let Some(dispatch) = self.dispatches.get_mut(id as usize) {
            *dispatch = None;
        }
    }
}
