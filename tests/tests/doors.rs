//! Garbage, wrong tokens and open doors.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use squall_tests::{Cluster, Machine, command, memory_of, run, squall};

const FLOW: &str = r#"
name = "flow"
[config]
workers = 2
[spouts.numbers]
type = "sequence"
config = { rate = 500 }
[bolts.end]
type = "null"
parallelism = 4
inputs = [{ from = "numbers", grouping = "shuffle" }]
"#;

/// Bytes that repeat only after a long time.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

fn send(address: &str, bytes: &[u8]) {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
    // It may be cut off in the middle, which is the right answer.
    let _ = stream.write_all(bytes);
}

#[test]
fn a_worker_that_receives_garbage_counts_it_and_goes_on() {
    let cluster = Cluster::start(&[Machine::new("one", 2)]);
    cluster.submit(FLOW);
    let status = cluster.running("flow");
    let workers: Vec<(u32, String)> = status
        .workers
        .iter()
        .map(|w| (w.pid.unwrap(), w.endpoint.clone().unwrap().trim_start_matches("tcp://").to_owned()))
        .collect();
    let acked = |t: &squall_core::control::TopologyStatus| t.components[0].acked;
    let before = cluster.wait("flow", "trees are acked", |t| acked(t) > 200);
    let memory: Vec<u64> = workers.iter().map(|(pid, _)| memory_of(*pid, "Private_Dirty").unwrap()).collect();

    // A ZMTP greeting and READY of a PUSH socket (mechanism NULL), as any ZeroMQ program would send it.
    let mut greeting = vec![0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0];
    greeting.extend_from_slice(b"NULL");
    greeting.resize(64, 0);
    let property = |name: &str, value: &[u8]| {
        let mut bytes = vec![name.len() as u8];
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(&(value.len() as u32).to_be_bytes());
        bytes.extend_from_slice(value);
        bytes
    };
    let mut ready = b"\x05READY".to_vec();
    ready.extend(property("Socket-Type", b"PUSH"));
    ready.extend(property("Identity", b""));
    greeting.extend([4, ready.len() as u8]);
    greeting.extend(&ready);

    for (_, address) in &workers {
        for seed in 0..20 {
            send(address, &noise(seed, 10_000));
            // Well-formed messages of nonsense, long and short, and one that is cut off.
            let mut nonsense = greeting.clone();
            for n in 1..20u64 {
                let body = noise(seed * 100 + n, (n * 13) as usize);
                nonsense.extend([0, body.len() as u8]);
                nonsense.extend(&body);
            }
            nonsense.extend([0, 200, 1, 2, 3]);
            send(address, &nonsense);
        }
        // A message that claims to be of 2^62 bytes.
        let mut huge = greeting.clone();
        huge.push(2);
        huge.extend((1u64 << 62).to_be_bytes());
        huge.extend(noise(7, 1000));
        send(address, &huge);
    }

    let after = cluster
        .wait("flow", "the garbage is counted and tuples flow", |t| t.ignored_frames > 0 && acked(t) > acked(&before) + 1000);
    assert_eq!(after.workers.iter().map(|w| w.restarts).sum::<u64>(), 0);
    assert_eq!(after.components.iter().map(|c| c.failed).sum::<u64>(), 0);
    for ((pid, _), before) in workers.iter().zip(memory) {
        let now = memory_of(*pid, "Private_Dirty").unwrap();
        assert!(now < before + (16 << 20), "worker {pid} grew from {before} to {now} bytes");
    }
    // Said once, not for each frame.
    let log = cluster.squall(&["logs", "flow", "-n", "100000"]).ok().stdout;
    let warnings = log.lines().filter(|l| l.contains("WARN")).count();
    assert!((1..=40).contains(&warnings), "{warnings} warnings\n{log}");
}

/// Sends a request to a daemon and gives the status line of its answer.
fn answer(url: &str, bytes: &[u8]) -> String {
    status_line(url, bytes, false)
}

/// As [`answer`]; `end` tells the daemon that nothing follows, which it takes for a caller that has gone.
fn status_line(url: &str, bytes: &[u8], end: bool) -> String {
    let mut stream = TcpStream::connect(url.trim_start_matches("http://")).expect("nimbus listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let _ = stream.write_all(bytes);
    if end {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn nimbus_answers_garbage_with_4xx_and_goes_on() {
    let mut cluster = Cluster::start(&[]);
    let url = cluster.url().to_owned();
    let token = cluster.token();
    let post = |path: &str, body: &[u8]| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        let status = answer(&url, &[head.as_bytes(), body].concat());
        assert!(status.contains(" 4"), "{path} with {:?}: {status}", String::from_utf8_lossy(body));
    };
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    for body in [&b""[..], b"{", b"[]", b"null", b"{\"plan\": 3}", b"{\"plan\": {\"name\": \"../x\"}}", &noise(3, 5000), &deep]
    {
        post("/v1/topologies", body);
        post("/v1/topologies/x/rebalance", body);
        post("/v1/supervisors/zz/heartbeat", body);
    }
    for path in [
        "/ui/..%2ftoken",
        "/ui/",
        "/v1",
        "/v1/nothing",
        "/v1/topologies/..%2f..%2fetc/plan",
        "/v1/blobs/..%2ftoken",
        "/v1/topologies/none",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n");
        let status = answer(&url, request.as_bytes());
        assert!(status.contains(" 4"), "{path}: {status}");
    }
    for seed in 0..50 {
        let status = status_line(&url, &noise(seed, 2000), true);
        assert!(status.is_empty() || status.contains(" 4"), "{status}");
    }
    assert!(cluster.squall(&["cluster"]).ok().stdout.contains("0 of 0 slots"), "it still answers");
    let log = cluster.nimbus().log();
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn every_call_needs_the_token() {
    let cluster = Cluster::start(&[Machine::new("one", 1)]);
    let supervisor = cluster.status().supervisors[0].url.clone();
    let wrong = "0".repeat(cluster.token().len());
    for url in [cluster.url(), &supervisor] {
        // `/` of nimbus is the page's own file, which is the same everywhere and tells nothing of the cluster.
        let paths =
            ["/v1/cluster", "/v1/topologies", "/v1/logs", "/v1/workers/x/0/orders", "/v1/nothing", "/metrics", "/v1/live"];
        for path in paths.into_iter().chain(["/api/v1/topology/summary", "/api/openapi.json", "/nothing"]) {
            for header in [String::new(), format!("authorization: Bearer {wrong}\r\n"), "authorization: Basic eA==\r\n".into()]
            {
                let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n{header}connection: close\r\n\r\n");
                let status = answer(url, request.as_bytes());
                assert!(status.contains(" 401 "), "{url}{path} with {header:?}: {status}");
            }
        }
    }
    let page = answer(&supervisor, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(page.contains(" 401 "), "a supervisor has no page: {page}");
    let file = cluster.file("wrong-token", &wrong);
    let ran = run(cluster.command().args(["list", "--token-file", &file]));
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("token"), "{}", ran.stderr);
}

#[test]
fn only_the_owner_can_read_the_token() {
    use std::os::unix::fs::PermissionsExt;
    let cluster = Cluster::start(&[]);
    let mode = std::fs::metadata(cluster.token_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn daemons_refuse_to_listen_to_others() {
    let home = tempfile::tempdir().unwrap();
    let token = home.path().join("token");
    std::fs::write(&token, "a".repeat(64)).unwrap();
    for bind in ["0.0.0.0", "::", "192.0.2.1"] {
        let nimbus = run(command(home.path()).args(["nimbus", "--port", "0", "--bind", bind])).code(2);
        assert!(nimbus.stderr.contains("encryption is not there yet"), "{}", nimbus.stderr);
        let mut supervisor = command(home.path());
        supervisor.args(["supervisor", "--nimbus", "http://127.0.0.1:1", "--bind", bind, "--token-file"]).arg(&token);
        let supervisor = run(&mut supervisor).code(2);
        assert!(supervisor.stderr.contains("encryption is not there yet"), "{}", supervisor.stderr);
    }
    assert!(run(Command::new(squall()).arg("--version")).ok().stdout.starts_with("squall "));
}
