//! Processes are killed and stopped at random, and nothing is lost.
//!
//! `SQUALL_CHAOS_SEED=N` repeats one seed; `SQUALL_CHAOS_MINUTES=M` goes on with seed after seed for so long:
//! `SQUALL_CHAOS_MINUTES=60 cargo test -p squall-tests --test chaos -- --nocapture`.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use squall_tests::chaos::{ALL, APART, Chaos, Fault, measure, run};

/// Together they have every kind of fault.
const SEEDS: [u64; 2] = [7, 50];
const FAULTS: usize = 9;
const NUMBERS: usize = 40_000;
/// So many times as long is each run of those that go on for minutes.
const LONG: usize = 2;

/// The network namespace of the caller, for the test that takes its network away.
const OUTSIDE: &str = "SQUALL_CHAOS_OUTSIDE";

fn namespace() -> String {
    std::fs::read_link("/proc/self/ns/net").map_or_else(|_| String::new(), |n| n.display().to_string())
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is to be a whole number, not `{text}`")))
}

#[test]
fn nothing_is_lost_whatever_dies() {
    let seed = number("SQUALL_CHAOS_SEED");
    let Some(minutes) = number("SQUALL_CHAOS_MINUTES") else {
        let seeds = seed.map_or(SEEDS.to_vec(), |seed| vec![seed]);
        seeds.into_iter().for_each(|seed| drop(run(seed, &ALL, FAULTS, NUMBERS)));
        return;
    };
    go_on(minutes, |seed| drop(run(seed, &ALL, LONG * FAULTS, LONG * NUMBERS)));
}

/// Seed after seed, from one that nobody has tried unless one is given.
fn go_on(minutes: u64, run: impl Fn(u64)) {
    let until = Instant::now() + Duration::from_secs(60 * minutes);
    let first = number("SQUALL_CHAOS_SEED").unwrap_or_else(|| u64::from(std::process::id()) << 16);
    let mut runs = 0;
    while Instant::now() < until {
        run(first.wrapping_add(runs));
        runs += 1;
    }
    eprintln!("{runs} runs from seed {first}, nothing lost");
}

/// In network and mount namespaces of its own, so that nothing else of this machine is touched.
#[test]
fn nothing_is_lost_when_the_network_or_a_disk_fails() {
    let inside = |seed: u64, args: &[&str]| {
        let mut command = Command::new("unshare");
        command.arg("-nm").args(args).env(OUTSIDE, namespace()).env("SQUALL_CHAOS_SEED", seed.to_string());
        command.status().is_ok_and(|s| s.success())
    };
    if !inside(0, &["ip", "link", "set", "lo", "up"]) || !inside(0, &["ss", "-H", "-t"]) {
        // Not by `eprintln!`, which only tests that fail are heard with.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED nothing_is_lost_when_the_network_or_a_disk_fails: no namespaces can be made here (unshare, ip and ss are needed, as root)"
        );
        return;
    }
    let own = std::env::current_exe().expect("a test knows where it is");
    let own = own.display().to_string();
    // Each seed has namespaces of its own, as it leaves them with other rules and full of disks.
    let run = |seed: u64| {
        let lives = inside(seed, &[&own, "--ignored", "--exact", "inside_a_namespace", "--nocapture"]);
        assert!(lives, "seed {seed}: see above");
    };
    match number("SQUALL_CHAOS_MINUTES") {
        None => run(number("SQUALL_CHAOS_SEED").unwrap_or(1)),
        Some(minutes) => go_on(minutes, run),
    }
}

#[test]
#[ignore = "nothing_is_lost_when_the_network_or_a_disk_fails runs it"]
fn inside_a_namespace() {
    let outside = std::env::var(OUTSIDE).unwrap_or_else(|_| namespace());
    assert_ne!(outside, namespace(), "this would take the network from the whole machine; run the test that runs this one");
    assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().is_ok_and(|s| s.success()));
    // Now and then something that needs no namespace comes in between.
    let kinds: Vec<Fault> = APART.into_iter().chain([Fault::KillWorker, Fault::KillMachine]).collect();
    let times = number("SQUALL_CHAOS_MINUTES").map_or(1, |_| LONG);
    // These take longer than what is done to processes.
    run(number("SQUALL_CHAOS_SEED").unwrap_or(1), &kinds, times * kinds.len(), 3 * times * NUMBERS);
}

/// The numbers of docs/reliability.md.
#[test]
#[ignore = "measures; run it by name with --nocapture"]
fn how_long_it_takes() {
    let mut chaos = Chaos::start(number("SQUALL_CHAOS_SEED").unwrap_or(7), 2_000_000, Some(4), false);
    measure::kills(&mut chaos, 6);
    measure::silences(&mut chaos, 5);
}
