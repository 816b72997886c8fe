//! What a backend does with a request that it let in: from the start of its service to its last token.

use super::{
    Engine,
    queue::Event,
    request::{Head, NO_REQUEST, Work},
};
use crate::journal::Entry;

impl Engine<'_, '_> {
    /// The service of a request that was let in begins.
    pub(super) fn start(&mut self, work: u32) {
        let now = self.now;
        let Work { request: id, service, backend, .. } = self.works[work as usize];
        self.recorder.service_began(backend, now);
        let (first, last) = (now.saturating_add(service.first), now.saturating_add(service.last));
        if id == NO_REQUEST {
            self.queue.push(last, Event::Last(work));
            return;
        }
        let request = &mut self.requests[id as usize];
        if first > request.patience(self.timeouts[request.arrival.workload as usize]) {
            self.queue.push(last, Event::Last(work));
            self.set_alarm(id);
        } else {
            request.head = Head::Served;
            request.alarm = 0;
            self.queue.push(first, Event::Head(id));
        }
    }

    /// The head of a success: the answer streams, until its last token or the caller's deadline.
    pub(super) fn first_token(&mut self, id: u32) {
        let request = &mut self.requests[id as usize];
        request.first_token = self.now;
        let work = request.work;
        let service = self.works[work as usize].service;
        let last = self.now.saturating_add(service.last - service.first);
        self.queue.push(last, Event::Last(work));
        if last > request.deadline {
            request.alarm = self.queue.push(request.deadline, Event::Alarm(id));
        }
    }

    /// The backend is done with a request.
    pub(super) fn last_token(&mut self, work: u32) {
        let now = self.now;
        let done = self.works.remove(work as usize);
        let server = &mut self.servers[done.backend];
        let used = server.correct(now, &done.service.demand, &done.arrival.size, &mut self.quotas);
        self.recorder.service_ended(&done, used, now);
        if let Some(next) = server.leave() {
            self.start(next);
        }
        if done.request == NO_REQUEST {
            self.journal.note(now, Entry::Orphaned, &done.arrival, 0, done.backend, 0);
            return;
        }
        let request = self.requests.remove(done.request as usize);
        self.journal.note(now, Entry::Succeeded, &request.arrival, request.attempts - 1, done.backend, 0);
        self.recorder.succeeded(&request, now);
        if let Some(wishing) = &mut self.wishing[request.arrival.workload as usize] {
            wishing.served(request.conversation, done.backend);
        }
        self.traffic.finished(request.arrival.workload, request.arrival.number, now);
    }

    /// The caller leaves a request that the backend goes on to serve, and charges.
    pub(super) fn leave_work(&mut self, id: u32) {
        let request = &mut self.requests[id as usize];
        if let Some(work) = self.works.get_mut(std::mem::replace(&mut request.work, NO_REQUEST) as usize) {
            work.request = NO_REQUEST;
        }
    }
}
