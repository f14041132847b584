//! A nimbus in a thread, and plain HTTP to talk to it.

use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use squall_core::control::incarnation;
use squall_nimbus::{Clock, Options};
use tokio::sync::{oneshot, watch};

/// A clock that stands still unless it is moved.
pub(crate) struct HandClock {
    now: watch::Sender<Duration>,
    base: u64,
}

impl HandClock {
    pub(crate) fn new() -> Arc<Self> {
        let base = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64;
        Arc::new(HandClock { now: watch::Sender::new(Duration::from_secs(1000)), base })
    }

    pub(crate) fn forward(&self, by: Duration) {
        self.now.send_modify(|n| *n += by);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Duration {
        *self.now.borrow()
    }

    fn unix_ms(&self) -> u64 {
        self.base + self.now.borrow().as_millis() as u64
    }

    fn sleep_until(&self, at: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut now = self.now.subscribe();
        Box::pin(async move { drop(now.wait_for(|now| *now >= at).await) })
    }
}

pub(crate) struct Nimbus {
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Nimbus {
    pub(crate) fn start(dir: &Path, clock: &Arc<HandClock>) -> Self {
        let options = Options { blob_limit: 1 << 20, blob_grace: Duration::ZERO, clock: clock.clone(), ..Options::new(dir) };
        Nimbus::start_with(options)
    }

    pub(crate) fn start_with(options: Options) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let dir = options.dir.clone();
        let thread = std::thread::spawn(move || {
            runtime.block_on(squall_nimbus::run(options, listener, async { drop(stopped.await) })).unwrap();
        });
        // Whoever can open the listener's door finds the token there; the first answer comes when nimbus is ready.
        let mut nimbus = Nimbus { address, token: String::new(), stop: Some(stop), thread: Some(thread) };
        assert_eq!(nimbus.get("/v1/cluster").0, 401);
        nimbus.token = std::fs::read_to_string(dir.join("token")).unwrap();
        nimbus
    }

    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    pub(crate) fn call(&self, method: &str, path: &str, body: &[u8]) -> (u16, Value) {
        let (status, _, body) = http(self.address, &self.token, method, path, body);
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        self.call("GET", path, b"")
    }

    pub(crate) fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call("POST", path, body.to_string().as_bytes())
    }

    pub(crate) fn submit(&self, plan: &Value) -> String {
        let (status, answer) = self.post("/v1/topologies", json!({"plan": plan}));
        assert_eq!(status, 201, "{answer}");
        answer["id"].as_str().unwrap().to_owned()
    }
}

impl Drop for Nimbus {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}

/// Waits until it is so.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let late = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < late, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// One call over a connection of its own: status, head, body.
pub(crate) fn http(address: SocketAddr, token: &str, method: &str, path: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    raw(address, &[head.as_bytes(), body].concat())
}

/// Sends bytes as they are.
pub(crate) fn raw(address: SocketAddr, bytes: &[u8]) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // A refusal may come before all was sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let at = answer.windows(4).position(|w| w == b"\r\n\r\n").map_or(answer.len(), |p| p + 4);
    let head = String::from_utf8_lossy(&answer[..at]).into_owned();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    (status, head, answer[at..].to_vec())
}

pub(crate) fn plan(name: &str, workers: u32) -> Value {
    let n = json!([{"name": "n", "type": "int"}]);
    json!({"name": name, "settings": {"workers": workers, "message_timeout": "30s"}, "components": [
        {"id": "count", "kind": "spout", "type": "t", "config": {}, "parallelism": 1, "outputs": [{"name": "default", "fields": n}]},
        {"id": "sum", "kind": "bolt", "type": "t", "config": {}, "parallelism": 3,
         "inputs": [{"from": "count", "stream": "default", "fields": n, "grouping": {"type": "shuffle"}}]}]})
}

/// A supervisor that does what it is told, in this test only.
pub(crate) struct Fake {
    pub(crate) id: String,
    pub(crate) slots: u32,
    pub(crate) revision: Option<u64>,
    pub(crate) desired: Vec<Value>,
    /// By (topology, worker).
    pub(crate) workers: Mutex<Vec<Value>>,
}

impl Fake {
    pub(crate) fn new(id: char, slots: u32) -> Self {
        let id = id.to_string().repeat(32);
        Fake { id, slots, revision: None, desired: Vec::new(), workers: Mutex::default() }
    }

    pub(crate) fn beat(&self, nimbus: &Nimbus) -> bool {
        let (status, answer) = self.try_beat(nimbus);
        assert_eq!(status, 200, "{answer}");
        answer["send_all"].as_bool().unwrap()
    }

    pub(crate) fn try_beat(&self, nimbus: &Nimbus) -> (u16, Value) {
        let body = json!({"version": "0", "machine": self.id, "host": "h", "url": "http://127.0.0.1:1", "pid": 1, "started_unix_ms": 0,
            "slots": self.slots, "cores": 2, "memory_bytes": 0, "workers": *self.workers.lock().unwrap()});
        nimbus.post(&format!("/v1/supervisors/{}/heartbeat", self.id), body)
    }

    /// Waits until nimbus wants something else.
    pub(crate) fn hear(&mut self, nimbus: &Nimbus) -> bool {
        let query = self.revision.map_or_else(String::new, |r| format!("?after={r}&wait_ms=10000"));
        let (status, answer) = nimbus.get(&format!("/v1/supervisors/{}/desired{query}", self.id));
        if status == 200 {
            self.revision = answer["revision"].as_u64();
            self.desired = answer["workers"].as_array().unwrap().clone();
        }
        status == 200
    }

    /// Runs exactly what nimbus wants: new workers say hello, others are stopped.
    pub(crate) fn obey(&self, start: u32) {
        let mut workers = self.workers.lock().unwrap();
        workers.retain(|w| self.desired.iter().any(|d| same(w, d)));
        for d in &self.desired {
            if !workers.iter().any(|w| same(w, d)) {
                let incarnation = incarnation(d["orders"]["epoch"].as_u64().unwrap(), start);
                workers.push(json!({"topology": d["topology"], "worker": d["worker"], "plan": d["plan"], "tasks": d["tasks"],
                    "incarnation": incarnation, "started_unix_ms": 0, "pid": 7, "phase": "running", "restarts": 0, "reports": 0,
                    "endpoint": format!("tcp://{}:{}:{start}", &self.id[..1], d["worker"])}));
            }
        }
    }

    pub(crate) fn set(&self, index: usize, key: &str, value: Value) {
        self.workers.lock().unwrap()[index][key] = value;
    }
}

fn same(w: &Value, d: &Value) -> bool {
    ["topology", "worker", "plan", "tasks"].iter().all(|k| w[*k] == d[*k])
}

/// The incarnation of so many starts under the first assignment.
pub(crate) fn started(start: u32) -> Value {
    json!(incarnation(1, start))
}
