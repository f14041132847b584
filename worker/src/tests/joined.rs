//! Engines joined by ZeroMQ links, as worker processes are.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use squall_core::{Grouping, Plan, Settings};

use super::support::{Linked, counter, linked, plan, sum, wait_for};

fn topology(to: u64, settings: Settings) -> Arc<Plan> {
    plan(
        settings,
        &[
            ("numbers", "numbers", 1, json!({"to": to}), &[]),
            ("pass", "pass", 2, json!({"times": 2}), &[("numbers", Grouping::Shuffle)]),
            ("sink", "sink", 2, json!({}), &[("pass", Grouping::Fields { fields: vec!["n".into()] })]),
            ("all", "sink", 2, json!({}), &[("pass", Grouping::All)]),
        ],
    )
}

fn join(workers: &[&Linked], epoch: u64) {
    let peers: Vec<_> = workers.iter().map(|w| &w.peer).collect();
    workers.iter().for_each(|w| w.tell(epoch, &peers));
    wait_for("all links", || workers.iter().all(|w| w.links.counts.connected.load(Ordering::SeqCst)));
}

#[test]
fn tuples_acks_and_credits_cross_links() {
    let plan = topology(20_000, Settings { queue_tuples: 300, max_spout_pending: 5000, ..Settings::default() });
    let (a, b) = (linked(&plan, 0, 1, &[1, 2, 4, 6]), linked(&plan, 1, 2, &[3, 5, 7]));
    join(&[&a, &b], 1);
    a.engine.set_active(true);
    wait_for("the end", || a.engine.is_finished());
    wait_for("rest", || a.engine.is_drained() && b.engine.is_drained());
    let reports: Vec<_> = a.engine.task_reports().into_iter().chain(b.engine.task_reports()).collect();
    assert_eq!(sum(&plan, &reports, "numbers", |r| r.acked), 20_000);
    assert_eq!(sum(&plan, &reports, "numbers", |r| r.failed), 0);
    assert_eq!(sum(&plan, &reports, "sink", |r| r.executed), 40_000);
    assert_eq!(sum(&plan, &reports, "sink", counter("distinct")), 20_000);
    assert_eq!(sum(&plan, &reports, "all", |r| r.executed), 80_000);
    assert_eq!(sum(&plan, &reports, "numbers", |r| r.transferred) + sum(&plan, &reports, "pass", |r| r.transferred), 140_000);
    assert_eq!(a.links.counts.ignored.load(Ordering::SeqCst) + b.links.counts.ignored.load(Ordering::SeqCst), 0);
    a.end();
    b.end();
}

#[test]
fn the_death_of_a_worker_fails_its_trees_at_once_and_its_successor_goes_on() {
    // A time-out that does not come into it.
    let settings = Settings { message_timeout: Duration::from_secs(3600), max_spout_pending: 2000, ..Settings::default() };
    let plan = topology(60_000, settings);
    let (a, b) = (linked(&plan, 0, 1, &[1, 2, 4, 6]), linked(&plan, 1, 2, &[3, 5, 7]));
    join(&[&a, &b], 1);
    a.engine.set_active(true);
    wait_for("some way", || sum(&plan, &b.engine.task_reports(), "pass", |r| r.executed) > 3000);
    // Given up, but not gone: it goes on, and whatever it says counts no more.
    let mut gone = b.peer.clone();
    gone.endpoint = None;
    gone.incarnation = 0;
    a.tell(2, &[&a.peer, &gone]);
    let c = linked(&plan, 1, 3, &[3, 5, 7]);
    join(&[&a, &c], 3);
    wait_for("the end", || a.engine.is_finished());
    let reports = a.engine.task_reports();
    assert_eq!(sum(&plan, &reports, "numbers", |r| r.acked), 60_000);
    assert_eq!(sum(&plan, &reports, "numbers", counter("mistakes")), 0);
    assert!(sum(&plan, &reports, "numbers", counter("replays")) > 0);
    b.end();
    a.end();
    c.end();
}

/// Each time-out of the other tuple is one that this one would have had too.
#[test]
fn a_bolt_elsewhere_has_the_time_out_begin_anew() {
    let settings = Settings { message_timeout: Duration::from_secs(1), ..Settings::default() };
    let plan = plan(
        settings,
        &[
            ("numbers", "numbers", 1, json!({"to": 2}), &[]),
            ("patient", "patient", 1, json!({}), &[("numbers", Grouping::Global)]),
        ],
    );
    let mut plan = Arc::unwrap_or_clone(plan);
    plan.components[1].tick = Some(Duration::from_millis(20));
    let plan = Arc::new(plan);
    let (a, b) = (linked(&plan, 0, 1, &[1]), linked(&plan, 1, 2, &[2]));
    join(&[&a, &b], 1);
    a.engine.set_active(true);
    wait_for("the end", || a.engine.is_finished());
    let reports = a.engine.task_reports();
    assert_eq!(sum(&plan, &reports, "numbers", |r| r.acked), 2);
    assert_eq!(sum(&plan, &reports, "numbers", |r| r.failed), 2, "the other tuple, twice");
    assert_eq!(sum(&plan, &b.engine.task_reports(), "patient", counter("again")), 0);
    a.end();
    b.end();
}

#[test]
fn a_dead_letter_says_what_a_bolt_elsewhere_said() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("dead.jsonl");
    let settings = Settings { max_failures: Some(2), dead_letters: Some(file.clone()), ..Settings::default() };
    let plan = plan(
        settings,
        &[
            ("numbers", "numbers", 1, json!({"to": 20}), &[]),
            ("moody", "moody", 1, json!({"by": 7, "panic": false, "always": true}), &[("numbers", Grouping::Global)]),
        ],
    );
    let (a, b) = (linked(&plan, 0, 1, &[1]), linked(&plan, 1, 2, &[2]));
    join(&[&a, &b], 1);
    a.engine.set_active(true);
    wait_for("the end", || a.engine.is_finished());
    a.end();
    b.end();
    let text = std::fs::read_to_string(&file).unwrap();
    let letters: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(letters.iter().all(|l| l["error"] == "moody: not now"), "{text}");
    let mut numbers: Vec<_> = letters.iter().map(|l| l["tuple"]["n"].as_u64()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [Some(7), Some(14)]);
}

#[test]
fn what_waited_for_a_successor_fails_at_once_when_that_one_dies_too() {
    let settings = Settings { message_timeout: Duration::from_secs(3600), max_spout_pending: 500, ..Settings::default() };
    let plan = topology(20_000, settings);
    let a = linked(&plan, 0, 1, &[1, 2, 4, 6]);
    let gone = squall_core::control::Peer { index: 1, tasks: vec![3, 5, 7], endpoint: None, incarnation: 0, ..a.peer.clone() };
    a.tell(1, &[&a.peer, &gone]);
    wait_for("its orders", || a.engine.shared.worker_of(3) == 1);
    a.engine.set_active(true);
    for incarnation in 1..6 {
        let b = linked(&plan, 1, incarnation, &[3, 5, 7]);
        // What it takes in it keeps: it has nobody to send to.
        a.tell(2 * incarnation, &[&a.peer, &b.peer]);
        b.tell(2 * incarnation, &[&b.peer]);
        wait_for("the link", || a.links.counts.connected.load(Ordering::SeqCst));
        wait_for("rows taken in", || sum(&plan, &b.engine.task_reports(), "pass", |r| r.executed) > 0);
        a.tell(2 * incarnation + 1, &[&a.peer, &gone]);
        wait_for("its death", || !a.links.counts.connected.load(Ordering::SeqCst));
        b.end();
    }
    let last = linked(&plan, gone.index, 9, &[3, 5, 7]);
    join(&[&a, &last], 20);
    wait_for("the end", || a.engine.is_finished());
    assert_eq!(sum(&plan, &a.engine.task_reports(), "numbers", |r| r.acked), 20_000);
    a.end();
    last.end();
}

#[test]
fn what_an_older_assignment_started_is_refused_as_soon_as_orders_say_so() {
    let started = squall_core::control::incarnation;
    let settings = Settings { message_timeout: Duration::from_secs(3600), max_spout_pending: 2000, ..Settings::default() };
    let plan = topology(40_000, settings);
    let a = linked(&plan, 0, started(1, 1), &[1, 2, 4, 6]);
    let b = linked(&plan, 1, started(1, 1), &[3, 5, 7]);
    join(&[&a, &b], 1);
    a.engine.set_active(true);
    wait_for("some way", || sum(&plan, &b.engine.task_reports(), "pass", |r| r.executed) > 1000);
    // Moved by epoch 2; nobody has said yet where its successor is. On its silent machine it is started again meanwhile.
    let moved = squall_core::control::Peer { since: 2, endpoint: None, incarnation: 0, ..b.peer.clone() };
    a.tell(2, &[&a.peer, &moved]);
    wait_for("the link to be cut", || !a.links.counts.connected.load(Ordering::SeqCst));
    let again = linked(&plan, 1, started(1, 2), &[3, 5, 7]);
    again.tell(1, &[&a.peer, &again.peer]);
    wait_for("its HELLO to be refused", || a.links.counts.ignored.load(Ordering::SeqCst) > 0);
    assert!(!a.links.counts.connected.load(Ordering::SeqCst));
    let mut c = linked(&plan, 1, started(2, 1), &[3, 5, 7]);
    c.peer.since = 2;
    join(&[&a, &c], 2);
    wait_for("the end", || a.engine.is_finished());
    assert_eq!(sum(&plan, &a.engine.task_reports(), "numbers", |r| r.acked), 40_000);
    assert_eq!(sum(&plan, &again.engine.task_reports(), "pass", |r| r.executed), 0, "it was given nothing");
    [a, b, again, c].into_iter().for_each(Linked::end);
}

#[test]
fn a_successor_makes_itself_known_without_orders() {
    let plan = topology(20_000, Settings { message_timeout: Duration::from_secs(3600), ..Settings::default() });
    let (a, b) = (linked(&plan, 0, 1, &[1, 2, 4, 6]), linked(&plan, 1, 2, &[3, 5, 7]));
    join(&[&a, &b], 1);
    a.engine.set_active(true);
    wait_for("some way", || sum(&plan, &b.engine.task_reports(), "pass", |r| r.executed) > 1000);
    let c = linked(&plan, 1, 3, &[3, 5, 7]);
    // Only the successor hears of the other; its HELLO tells the rest.
    c.tell(2, &[&a.peer, &c.peer]);
    wait_for("the end", || a.engine.is_finished());
    assert_eq!(sum(&plan, &a.engine.task_reports(), "numbers", |r| r.acked), 20_000);
    b.end();
    a.end();
    c.end();
}

#[test]
fn without_orders_a_worker_takes_nothing_in_for_it_could_not_send_it_on() {
    let plan = topology(2000, Settings { message_timeout: Duration::from_secs(3600), ..Settings::default() });
    let (a, b) = (linked(&plan, 0, 1, &[1, 2, 4, 6]), linked(&plan, 1, 2, &[3, 5, 7]));
    // Only one of them has orders. It connects, and what it emits waits for the other to know where to send its own.
    a.tell(1, &[&a.peer, &b.peer]);
    wait_for("its orders", || a.engine.shared.worker_of(3) == 1);
    a.engine.set_active(true);
    wait_for("rows that wait", || sum(&plan, &a.engine.task_reports(), "numbers", |r| r.emitted) > 0);
    assert!(!a.links.counts.connected.load(Ordering::SeqCst), "the other has no orders");
    assert_eq!(sum(&plan, &b.engine.task_reports(), "pass", |r| r.executed), 0);
    b.tell(1, &[&a.peer, &b.peer]);
    wait_for("the end", || a.engine.is_finished());
    assert!(sum(&plan, &b.engine.task_reports(), "pass", |r| r.executed) > 0);
    assert_eq!(sum(&plan, &a.engine.task_reports(), "numbers", |r| r.failed), 0);
    a.end();
    b.end();
}

#[test]
fn garbage_is_counted_and_harms_nobody() {
    let plan = topology(2000, Settings::default());
    let (a, b) = (linked(&plan, 0, 1, &[1, 2, 4, 6]), linked(&plan, 1, 2, &[3, 5, 7]));
    join(&[&a, &b], 1);
    let context = zmq::Context::new();
    let stranger = context.socket(zmq::PUSH).unwrap();
    stranger.connect(&b.links.endpoint).unwrap();
    let hello = squall_core::wire::Hello {
        token: "guessed".into(),
        versions: (1, 1),
        features: 0,
        topology: "test-1".into(),
        plan: "hash".into(),
        from: (0, 99),
        to: (1, 2),
        endpoint: a.links.endpoint.clone(),
    };
    stranger.send(&b"garbage"[..], 0).unwrap();
    stranger.send(squall_core::wire::encode_hello(&hello, 5, 1), 0).unwrap();
    let mut data = squall_core::wire::HEADER.to_vec();
    data.extend_from_slice(&[0xdd, 0xff, 0xff, 0xff, 0xff]);
    squall_core::wire::seal(&mut data, squall_core::wire::FrameKind::Data, 5, 1, 1);
    stranger.send(data, 0).unwrap();
    wait_for("three ignored", || b.links.counts.ignored.load(Ordering::SeqCst) == 3);
    // Not ZeroMQ at all.
    let at = b.links.endpoint.trim_start_matches("tcp://");
    std::io::Write::write_all(&mut std::net::TcpStream::connect(at).unwrap(), &[0xff; 4096]).unwrap();
    wait_for("a fourth", || b.links.counts.ignored.load(Ordering::SeqCst) >= 4);
    a.engine.set_active(true);
    wait_for("the end", || a.engine.is_finished());
    assert_eq!(sum(&plan, &a.engine.task_reports(), "numbers", |r| r.acked), 2000);
    a.end();
    b.end();
}
