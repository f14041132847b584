//! What follows from what supervisors say, and in which order.

use std::time::Duration;

use squall_core::Plan;
use squall_core::control::{
    Exit, Heartbeat, Orders, Phase, Rebalance, Report, TaskReport, TopologyState, WorkerStatus, incarnation,
};

use crate::simulated::Nimbus;

/// Two spouts in two workers.
fn plan() -> Plan {
    let component = |id| serde_json::json!({"id": id, "kind": "spout", "type": "t", "config": {}, "parallelism": 1});
    let components = [component("s"), component("t")];
    let plan = serde_json::json!({"name": "p", "settings": {"workers": 2}, "components": components});
    serde_json::from_value(plan).unwrap()
}

fn nimbus() -> (tempfile::TempDir, Nimbus) {
    let folder = tempfile::tempdir().unwrap();
    let nimbus = Nimbus::new(folder.path(), Duration::from_secs(3));
    (folder, nimbus)
}

fn beat<'a>(number: u64, worker: impl Into<Option<&'a WorkerStatus>>) -> Heartbeat {
    let workers = worker.into().cloned().into_iter().collect();
    Heartbeat { life: 1, number, slots: 1, workers, ..Heartbeat::default() }
}

/// The first start of the worker that a supervisor is to run.
fn started(nimbus: &Nimbus, supervisor: &str) -> WorkerStatus {
    let wanted = nimbus.desired(supervisor, None).unwrap().unwrap().workers.remove(0);
    WorkerStatus {
        topology: wanted.topology,
        worker: wanted.worker,
        plan: wanted.plan,
        tasks: wanted.tasks,
        incarnation: incarnation(wanted.orders.epoch, 1),
        ..WorkerStatus::default()
    }
}

fn at(endpoint: &str, status: &WorkerStatus) -> WorkerStatus {
    WorkerStatus { endpoint: Some(endpoint.to_owned()), ..status.clone() }
}

/// What the supervisor `b` is told of the worker on `a`: how it is up, if it is.
fn told(nimbus: &mut Nimbus, number: u64) -> Option<u64> {
    nimbus.heartbeat("b", beat(number, None));
    let Orders { workers, .. } = nimbus.desired("b", None).unwrap().unwrap().workers.remove(0).orders;
    let other = workers.iter().find(|w| w.endpoint.as_deref() == Some("tcp://a"));
    other.map(|w| w.incarnation)
}

#[test]
fn nobody_gives_up_a_worker_of_which_its_supervisor_does_not_know_yet_that_it_is_up() {
    let (_folder, mut nimbus) = nimbus();
    for supervisor in ["a", "b"] {
        nimbus.heartbeat(supervisor, beat(1, None));
    }
    nimbus.submit(plan()).unwrap();
    let starts = started(&nimbus, "a");
    let (up, incarnation) = (at("tcp://a", &starts), starts.incarnation);
    let exit = Exit { unix_ms: 0, incarnation, how: "signal: 9".to_owned(), output: String::new() };
    let dead = WorkerStatus { incarnation: 0, last_exit: Some(exit), ..starts.clone() };
    nimbus.heartbeat("a", beat(2, &starts));
    assert_eq!(told(&mut nimbus, 2), None);
    nimbus.heartbeat("a", beat(3, &up));
    assert_eq!(told(&mut nimbus, 3), Some(incarnation));

    nimbus.heartbeat("a", beat(4, &starts));
    assert_eq!(told(&mut nimbus, 4), Some(incarnation), "the next supervisor waits for its hello");
    nimbus.restart();
    nimbus.heartbeat("a", beat(1, None));
    assert_eq!(told(&mut nimbus, 5), Some(incarnation), "a heartbeat from before it was started");
    nimbus.heartbeat("a", beat(5, &up));
    assert_eq!(told(&mut nimbus, 6), Some(incarnation));
    nimbus.restart();
    nimbus.heartbeat("a", beat(6, &dead));
    assert_eq!(told(&mut nimbus, 7), None, "it is known to have died");
}

/// The worker on `b` had nothing to do for a moment and said so, took in what was left of what `a` had sent, and was not heard again.
#[test]
fn a_topology_is_finished_also_where_the_last_that_drained_is_in_no_report() {
    let (_folder, mut nimbus) = nimbus();
    for supervisor in ["a", "b"] {
        nimbus.heartbeat(supervisor, beat(1, None));
    }
    let topology = nimbus.submit(plan()).unwrap();
    let report = |status: &WorkerStatus, reports, phase, sent, taken| {
        let tasks = status.tasks.iter().map(|task| TaskReport {
            task: *task,
            transferred: sent,
            executed: taken,
            ended: phase == Phase::Finished,
            ..TaskReport::default()
        });
        let report = Report { incarnation: status.incarnation, phase, tasks: tasks.collect(), ..Report::default() };
        WorkerStatus { phase: Some(phase), reports, report: Some(report), ..at("tcp://x", status) }
    };
    let (a, b) = (started(&nimbus, "a"), started(&nimbus, "b"));
    nimbus.heartbeat("a", beat(2, &report(&a, 1, Phase::Running, 5, 0)));
    nimbus.heartbeat("b", beat(2, &report(&b, 1, Phase::Running, 0, 3)));
    let parallelism = [("s".to_owned(), 2)].into_iter().collect();
    nimbus.rebalance(&topology, Rebalance { wait_ms: Some(60_000), workers: None, parallelism }).unwrap();
    nimbus.heartbeat("b", beat(3, &report(&b, 2, Phase::Drained, 0, 3)));
    nimbus.heartbeat("a", beat(3, &report(&a, 2, Phase::Drained, 5, 0)));
    nimbus.due();
    assert_eq!(nimbus.state(&topology).unwrap().0, TopologyState::Active, "the wait is over");
    let (a, b) = (started(&nimbus, "a"), started(&nimbus, "b"));
    for n in 1..=3 {
        nimbus.heartbeat("a", beat(3 + n, &report(&a, n, Phase::Finished, 0, 0)));
        nimbus.heartbeat("b", beat(3 + n, &report(&b, n, Phase::Finished, 0, 0)));
    }
    assert!(nimbus.state(&topology).unwrap().1, "all spouts are done");
}
