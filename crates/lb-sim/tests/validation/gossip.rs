//! Workers that tell each other of cooldowns, computed by hand.

use lb_sim::metrics::BackendTally;

use crate::by_hand::{ONE, TWO, every_ten_seconds};

/// Two workers in turn, a request every 10 s from 0 on, for 25 s; the first backend refuses all after 10 ms.
fn run(clients: &str, hint: &str, pool: &str) -> [BackendTally; 2] {
    let clients = format!("workers = 2\nassignment = \"round-robin\"\n{clients}");
    let full = format!(
        "[[fault]]\nbackend = 'one'\nkind = 'status'\nstatus = 429\nhint = '{hint}'\nafter = '10ms'\nat = '0s'"
    );
    let backends = format!("{pool}{ONE}{TWO}");
    let scene = every_ten_seconds("duration = \"25s\"", &clients, &backends, "", &full);
    [scene.run.backends[0], scene.run.backends[1]]
}

const GOSSIP: &str = "pools = \"gossip\"\ngossip_delay = \"5s\"";

#[test]
fn the_other_worker_hears_of_a_cooldown_and_does_not_ask() {
    let [one, two] = run(GOSSIP, "15s", "");
    // The first worker is refused at 0.01 s and at 20.01 s; the second hears of it 5 s later, for 15 s from then.
    assert_eq!((one.attempts, one.throttles, two.attempts), (2, 2, 3));
    assert_eq!(one.cooling, (15_000 + 15_000 + 25_000 - 20_010) * 1_000_000);
    let [alone, _] = run("", "15s", "");
    assert_eq!(alone.throttles, 3);
}

#[test]
fn what_is_short_is_not_told() {
    let [one, _] = run(GOSSIP, "499ms", "");
    assert_eq!((one.throttles, one.cooling), (3, 3 * 499 * 1_000_000));
    let [one, _] = run("pools = \"gossip\"\ngossip_delay = \"0s\"", "500ms", "");
    assert_eq!((one.throttles, one.cooling), (3, 2 * 3 * 500 * 1_000_000));
}
