//! M/M/10 at a load of 8 erlangs in nexosim: a model that schedules its own arrivals and departures. Prints the p95 of waits.

use std::{collections::VecDeque, error::Error, time::Duration};

use nexosim::model::{Context, Model, schedulable};
use nexosim::ports::{EventSinkReader, Output, SinkState, event_slot};
use nexosim::simulation::{Mailbox, SimInit};
use nexosim::time::MonotonicTime;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Servers {
    customers: usize,
    free: u32,
    queue: VecDeque<MonotonicTime>,
    waits: Vec<Duration>,
    rng: Xoshiro256PlusPlus,
    p95: Output<f64>,
}

#[Model]
impl Servers {
    fn exponential(&mut self, rate: f64) -> Duration {
        let uniform = ((self.rng.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
        Duration::from_secs_f64(-uniform.ln() / rate) + Duration::from_nanos(1)
    }

    #[nexosim(init)]
    async fn next(&mut self, cx: &Context<Self>) {
        cx.schedule_event(self.exponential(8.0), schedulable!(Self::arrive), ()).expect("a moment to come");
    }

    #[nexosim(schedulable)]
    async fn arrive(&mut self, _: (), cx: &Context<Self>) {
        self.queue.push_back(cx.time());
        if self.free > 0 {
            self.free -= 1;
            self.serve(cx);
        }
        if self.waits.len() < self.customers {
            return self.next(cx).await;
        }
        self.waits.sort_unstable();
        self.p95.send(self.waits[self.waits.len() * 95 / 100].as_secs_f64()).await;
    }

    #[nexosim(schedulable)]
    async fn leave(&mut self, _: (), cx: &Context<Self>) {
        if self.queue.is_empty() { self.free += 1 } else { self.serve(cx) }
    }

    fn serve(&mut self, cx: &Context<Self>) {
        let Some(arrived) = self.queue.pop_front() else { return };
        self.waits.push(cx.time().duration_since(arrived));
        cx.schedule_event(self.exponential(1.0), schedulable!(Self::leave), ()).expect("a moment to come");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let customers = std::env::args().nth(1).ok_or("how many customers?")?.parse()?;
    let rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let (queue, waits) = (VecDeque::new(), Vec::with_capacity(customers));
    let mut servers = Servers { customers, free: 10, queue, waits, rng, p95: Output::default() };
    let (sink, mut p95) = event_slot(SinkState::Enabled);
    servers.p95.connect_sink(sink);
    let init = SimInit::with_num_threads(1).add_model(servers, Mailbox::new(), "servers");
    init.init(MonotonicTime::EPOCH)?.run()?;
    println!("{}", p95.try_read().ok_or("nobody was served")?);
    Ok(())
}
