//! What a backend does with a request that it let in: from the start of its service to its last token.

use lb_core::Outcome;

use super::{Engine, queue::Event};
use crate::journal::Entry;

impl Engine<'_, '_> {
    /// The service of a request that was let in begins.
    pub(super) fn start(&mut self, id: u32) {
        let now = self.now;
        let request = &mut self.requests[id];
        self.recorder.service_began(request.backend, now);
        let first = now.saturating_add(request.service.first);
        let last = now.saturating_add(request.service.last);
        if !request.has_caller {
            self.queue.push(last, Event::Last(id));
        } else if first > request.patience(self.classes[request.arrival.workload as usize].timeout) {
            self.queue.push(last, Event::Last(id));
            self.set_alarm(id);
        } else {
            request.alarm = 0;
            self.queue.push(first, Event::First(id));
        }
    }

    /// The head of a success: tells the balancer. The answer streams, until its last token or the caller's deadline.
    pub(super) fn first_token(&mut self, id: u32) {
        let request = &mut self.requests[id];
        request.first_token = self.now;
        let (attempt, backend) = (request.attempts - 1, request.backend);
        self.journal.note(self.now, Entry::Answered, &request.arrival, attempt, backend, 200);
        // No header of a success means anything to the balancer.
        let _ = self.settle(id, Outcome::Answered { status: 200, hint: None });
        self.end_dispatch(id);
        let request = &mut self.requests[id];
        let last = self.now.saturating_add(request.service.last - request.service.first);
        self.queue.push(last, Event::Last(id));
        if last > request.deadline {
            request.alarm = self.queue.push(request.deadline, Event::Alarm(id));
        }
    }

    /// The backend is done with a request.
    pub(super) fn last_token(&mut self, id: u32) {
        let now = self.now;
        let request = &mut self.requests[id];
        request.has_work = false;
        let server = &mut self.servers[request.backend];
        let used = server.correct(now, &request.service.demand, &request.arrival.size, &mut self.quotas);
        self.recorder.service_ended(request, used, now);
        if let Some(next) = server.leave() {
            self.start(next);
        }
        let request = &self.requests[id];
        let (arrival, backend) = (&request.arrival, request.backend);
        if !request.has_caller {
            self.journal.note(now, Entry::Orphaned, arrival, 0, backend, 0);
            self.requests.release(id);
            return;
        }
        self.journal.note(now, Entry::Succeeded, arrival, request.attempts - 1, backend, 0);
        self.recorder.succeeded(request, now);
        if let Some(wishing) = &mut self.classes[arrival.workload as usize].wishing {
            wishing.served(request.conversation, backend);
        }
        self.traffic.finished(arrival.workload, arrival.number, now);
        self.requests.release(id);
    }

    /// The caller leaves work that the backend goes on with, and charges: gives the number by which the request goes on.
    pub(super) fn leave_work(&mut self, id: u32) -> u32 {
        if !self.requests[id].has_work {
            return id;
        }
        let dispatch = self.dispatches.get_mut(id as usize).and_then(Option::take);
        let id = self.requests.leave_work(id);
        let place = id as usize;
        if self.dispatches.len() <= place {
            self.dispatches.resize_with(place + 1, || None);
        }
        self.dispatches[place] = dispatch;
        id
    }
}
