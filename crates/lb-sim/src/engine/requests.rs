use std::ops::{Index, IndexMut};

use super::request::Request;
use crate::traffic::Arrival;

/// The requests on their way, by number, with the work that backends have with them.
///
/// A slab whose places are written anew and never moved: a request is several hundred bytes, and most of them are for what
/// seldom happens.
#[derive(Debug, Default)]
pub(super) struct Requests {
    places: Vec<Request>,
    free: Vec<u32>,
}

impl Requests {
    /// A request arrives; gives its number.
    #[inline]
    pub(super) fn insert(&mut self, arrival: Arrival, key: u64, worker: u32, deadline: u64) -> u32 {
        match self.free.pop() {
            Some(id) => {
                self[id].begin(arrival, key, worker, deadline);
                id
            }
            None => self.push(Request::new(arrival, key, worker, deadline)),
        }
    }

    /// The caller leaves the work that a backend has with its request, and goes on: the work keeps the number, by which
    /// events and queues know it. Gives the request's new one.
    pub(super) fn leave_work(&mut self, id: u32) -> u32 {
        let place = &mut self[id];
        let request = Request { has_work: false, ..place.clone() };
        place.has_caller = false;
        place.alarm = 0;
        match self.free.pop() {
            Some(free) => {
                self[free] = request;
                free
            }
            None => self.push(request),
        }
    }

    /// The request has ended, and no work is left: its number is free.
    #[inline]
    pub(super) fn release(&mut self, id: u32) {
        let place = &mut self[id];
        place.has_caller = false;
        // No event that is still to come finds its alarm.
        place.alarm = 0;
        self.free.push(id);
    }

    /// Those whose callers are still there.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Request> {
        self.places.iter().filter(|request| request.has_caller)
    }

    #[cold]
    fn push(&mut self, request: Request) -> u32 {
        let id = super::narrow(self.places.len());
        self.places.push(request);
        id
    }
}

impl Index<u32> for Requests {
    type Output = Request;

    #[inline]
    fn index(&self, id: u32) -> &Request {
        &self.places[id as usize]
    }
}

impl IndexMut<u32> for Requests {
    #[inline]
    fn index_mut(&mut self, id: u32) -> &mut Request {
        &mut self.places[id as usize]
    }
}
