//! A pretended worker: says hello, heeds its orders, and writes down what it is told.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use squall_core::control::{Hello, Launch, Orders, Phase, Report, RunState, TaskReport};

use crate::http::http;

pub(crate) fn main(file: &str) -> ExitCode {
    let launch: Launch = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let plan = std::fs::read_to_string(&launch.plan).unwrap();
    if plan.contains("crash") {
        eprintln!("boom");
        return ExitCode::from(3);
    }
    let mut log = std::fs::OpenOptions::new().create(true).append(true).open(&launch.log_file).unwrap();
    writeln!(log, "up {} threads {} pin {:?}", launch.incarnation, launch.threads, launch.pin).unwrap();
    let base = format!("/v1/workers/{}/{}", launch.topology, launch.worker);
    let (incarnation, pid) = (launch.incarnation, std::process::id());
    let hello = Hello { incarnation, pid, endpoint: format!("tcp://127.0.0.1:{pid}") };
    let post = |what: &str, body: Vec<u8>| http(&launch.supervisor, &launch.token, "POST", &format!("{base}/{what}"), &body).0;
    assert_eq!(post("hello", serde_json::to_vec(&hello).unwrap()), 204);
    let mut after = None;
    loop {
        let query = after.map_or_else(String::new, |r| format!("&after={r}&wait_ms=1000"));
        let path = format!("{base}/orders?incarnation={incarnation}{query}");
        let (status, _, body) = http(&launch.supervisor, &launch.token, "GET", &path, b"");
        match status {
            200 => {
                let orders: Orders = serde_json::from_slice(&body).unwrap();
                after = Some(orders.revision);
                let up = orders.workers.iter().filter(|p| p.endpoint.is_some()).count();
                writeln!(log, "orders {:?} epoch {} up {up}", orders.state, orders.epoch).unwrap();
                let phase = match orders.state {
                    RunState::Active => Phase::Running,
                    RunState::Inactive => Phase::Drained,
                    RunState::Stopping => return ExitCode::SUCCESS,
                };
                let tasks = vec![TaskReport { task: 1, emitted: 5, ..TaskReport::default() }];
                let report = Report { incarnation, epoch: orders.epoch, phase, tasks, ..Report::default() };
                if post("report", serde_json::to_vec(&report).unwrap()) == 410 {
                    return ExitCode::SUCCESS;
                }
            }
            204 => {}
            410 => return ExitCode::SUCCESS,
            // The supervisor is away; it will be back.
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
