//! Eight processes under load, while the server is killed, started again, stopped and flooded.

use std::{path::Path, time::Duration};

use lb_emulator::Emulator;
use redis::Pipeline;
use tokio::time::{Instant, sleep, sleep_until};

use crate::{Result, fleet::Fleet, server::Server};

const WORKERS: u64 = 8;

/// How many requests each of them sends in a second.
const RATE: u64 = 15;

/// Messages of garbage per second, and for how long.
const GARBAGE: u64 = 10_000;
const FLOOD: u64 = 8;

pub(crate) async fn run(program: &Path) -> Result<()> {
    let mut server = Server::start(program).await?;
    let small = Emulator::builder().name("small").standard(1_000_000_000, 300).start()?;
    let large = Emulator::builder().name("large").start()?;
    let arguments = [
        ["--redis".to_owned(), server.url()],
        ["--backend".to_owned(), small.url()],
        ["--backend".to_owned(), large.url()],
        ["--rate".to_owned(), RATE.to_string()],
    ]
    .concat();
    let start = Instant::now();
    let second = |second| sleep_until(start + Duration::from_secs(second));
    let fleet = Fleet::start(WORKERS, &arguments)?;

    second(4).await;
    server.kill()?;
    second(6).await;
    server.restart().await?;
    second(9).await;
    server.signal("STOP")?;
    // Longer than a link waits for an answer.
    second(22).await;
    server.signal("CONT")?;
    second(25).await;
    let before = fleet.memory()?;
    flood(&server).await?;
    let after = fleet.memory()?;
    let all = fleet.ends().await?;

    let mut wrong = Vec::new();
    let mut expect = |is_so: bool, what: String| {
        if !is_so {
            wrong.push(what);
        }
    };
    for (number, seen) in all.iter().enumerate() {
        println!("worker {number}: {seen:?}; {} KiB before the garbage, {} after", before[number], after[number]);
        expect(seen.served == seen.requests && seen.requests > 0, format!("worker {number}: not all were served"));
        expect(seen.connected, format!("worker {number}: it is not connected at the end"));
        expect(seen.connections >= 3, format!("worker {number}: it did not notice that the server was away"));
        expect(seen.published > 0 && seen.applied > 0, format!("worker {number}: it told or heard nothing"));
        // A slow machine drops connections that cannot follow, and with them garbage.
        expect(seen.ignored >= GARBAGE, format!("worker {number}: it did not meet the garbage"));
        // A tenth, and what a page or two of an allocator are.
        expect(after[number] <= before[number] * 11 / 10 + 1_024, format!("worker {number}: its memory grows"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// Garbage of many kinds on the channel, and in the keys.
async fn flood(server: &Server) -> Result<()> {
    let mut connection = server.connect().await?;
    let long = "x".repeat(4_096);
    let kinds = [
        "",
        "\u{0}",
        "{}",
        "[[[[[[[[",
        r#"{"v":1,"from":1,"backend":"backend-1","cooling":{"ms":-1,"status":429}}"#,
        r#"{"v":9,"from":1,"backend":"backend-1","cooling":{"ms":600000,"status":429}}"#,
        long.as_str(),
    ];
    let start = Instant::now();
    for tenth in 0..FLOOD * 10 {
        let mut commands = Pipeline::new();
        for number in 0..GARBAGE / 10 {
            let kind = kinds[usize::try_from(number)? % kinds.len()];
            commands.cmd("PUBLISH").arg("lb:{check}").arg(kind).ignore();
        }
        commands.cmd("SET").arg("lb:{check}:drained").arg(&long).ignore();
        commands.query_async::<()>(&mut connection).await?;
        sleep_until(start + Duration::from_millis(100 * (tenth + 1))).await;
    }
    sleep(Duration::from_secs(1)).await;
    Ok(())
}
