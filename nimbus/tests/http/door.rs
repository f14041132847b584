//! Who may come in, and what garbage gets for an answer.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

use crate::common::{Fake, HandClock, Nimbus, http, plan, raw, until};
use serde_json::{Value, json};
use squall_nimbus::Options;

/// Of "hello".
const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn problem(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body).unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(body)));
    value["error"].as_str().unwrap().to_owned()
}

#[test]
fn without_the_token_nothing_is_said() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let nimbus = Nimbus::start(dir.path(), &clock);
    let wrong = "0".repeat(nimbus.token.len());
    for token in ["", "x", wrong.as_str()] {
        for path in ["/v1/cluster", "/nowhere", &format!("/v1/blobs/{HELLO}")] {
            let (status, _, body) = http(nimbus.address, token, "GET", path, b"");
            assert_eq!(status, 401, "{path}");
            assert!(problem(&body).contains("token"));
        }
    }
    assert_eq!(http(nimbus.address, &wrong, "PUT", &format!("/v1/blobs/{HELLO}"), b"hello").0, 401);
    assert_eq!(nimbus.get("/v1/cluster").0, 200);
}

#[test]
fn garbage_is_refused_and_named() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let nimbus = Nimbus::start(dir.path(), &clock);
    let post = |path: &str, body: &str| http(nimbus.address, &nimbus.token, "POST", path, body.as_bytes());
    let mut odd = plan("p", 1);
    odd["components"][0]["paralelism"] = json!(3);
    let odd = json!({"plan": odd}).to_string();
    let nested = format!("{{\"plan\": {}", "[".repeat(100_000));
    for (body, status, says) in [
        ("", 400, "missing field `plan`"),
        ("{", 400, "EOF"),
        ("\u{0}\u{1}", 400, "expected value"),
        ("{\"plan\": {\"name\": 3}}", 400, "wrong at `plan.name`"),
        ("{\"plan\": {\"name\": \"p\"}, \"stat\": 1}", 400, "unknown field `stat`"),
        (odd.as_str(), 400, "unknown key `plan.components.0.paralelism`"),
        (nested.as_str(), 400, "recursion limit"),
        ("{\"plan\": {\"name\": \"p\"}} x", 400, "goes on after its JSON"),
        ("{\"plan\": {\"name\": \"../p\"}}", 422, "cannot be a topology's name"),
    ] {
        let (got, _, answer) = post("/v1/topologies", body);
        assert_eq!(got, status, "{body:.80}: {}", String::from_utf8_lossy(&answer));
        assert!(problem(&answer).contains(says), "{}", problem(&answer));
    }
    assert_eq!(post("/v1/topologies", &" ".repeat(17 << 20)).0, 413);
    assert_eq!(post("/v1/topologies/x/kill", "{\"wait\": 1}").0, 400, "an unknown key");
    assert_eq!(post("/v1/topologies/x/kill", "{\"wait_ms\": -1}").0, 400);
    let (status, _, body) = post("/v1/topologies/%2e%2e%2fx/kill", "{}");
    assert_eq!(status, 404, "{}", problem(&body));
    assert_eq!(nimbus.get("/v1/cluster?after=x").0, 400);
    assert_eq!(nimbus.get("/v1/cluster?afer=1").0, 400);
    assert_eq!(nimbus.get("/v1/../token").0, 404);
    for path in ["/v1/topologies/x/logs/y", "/v1/topologies/x/taps/y", "/v1/topologies/%ff"] {
        let (status, body) = nimbus.get(path);
        assert_eq!(status, 400, "{path}");
        assert!(body["error"].as_str().is_some_and(|e| e.contains("Invalid URL")), "{path}: {body}");
    }
    assert_eq!(nimbus.call("DELETE", "/v1/cluster", b"").0, 405);
    for (id, status) in [("x", 422), (&*"z".repeat(32), 422), ("%2e%2e", 422), (&*"a".repeat(32), 400)] {
        assert_eq!(post(&format!("/v1/supervisors/{id}/heartbeat"), "{}").0, status, "{id}");
    }
    let mut liar = Fake::new('a', 100_000);
    assert_eq!(liar.try_beat(&nimbus).0, 422);
    liar.slots = 1;
    assert_eq!(liar.try_beat(&nimbus).0, 200);
    for bytes in [&b"\x16\x03\x01\x02\x00"[..], b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"] {
        let (status, ..) = raw(nimbus.address, &[bytes, b"\r\n\r\n"].concat());
        assert!(status == 0 || (400..500).contains(&status), "{status}");
    }
    assert_eq!(nimbus.get("/v1/topologies"), (200, json!([])), "and all is well");
}

#[test]
fn a_plan_is_not_believed() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let nimbus = Nimbus::start(dir.path(), &clock);
    let mut bad = plan("p", 0);
    bad["components"][1]["parallelism"] = json!(0);
    bad["components"][1]["inputs"][0]["from"] = json!("cuont");
    let (status, answer) = nimbus.post("/v1/topologies", json!({"plan": bad}));
    assert_eq!((status, answer["details"].as_array().unwrap().len()), (422, 3), "{answer}");

    let mut needy = plan("p", 1);
    needy["worker"] = json!(HELLO);
    needy["models"] = json!({"m": {"artefact": "ab".repeat(32), "source": "", "bytes": 1, "file": "m.pkl"}});
    let (status, answer) = nimbus.post("/v1/topologies", json!({"plan": needy}));
    assert_eq!((status, answer["details"].clone()), (422, json!(["ab".repeat(32), HELLO])), "{answer}");
}

#[test]
fn blobs_are_taken_by_their_hash_only() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let nimbus = Nimbus::start(dir.path(), &clock);
    let path = format!("/v1/blobs/{HELLO}");
    assert_eq!(nimbus.call("HEAD", &path, b"").0, 404);
    let (status, answer) = nimbus.call("PUT", &path, b"hullo");
    assert_eq!(status, 422);
    assert!(answer["error"].as_str().unwrap().contains("have the SHA-256"), "{answer}");
    assert_eq!(nimbus.call("PUT", &path, &vec![0; 2 << 20]).0, 413);
    assert_eq!(nimbus.call("PUT", "/v1/blobs/..%2f..%2fetc%2fpasswd", b"x").0, 404);
    assert_eq!(nimbus.call("GET", "/v1/blobs/..%2ftoken", b"").0, 404);
    assert_eq!(nimbus.call("PUT", &path, b"hello").0, 201);
    assert_eq!(nimbus.call("PUT", &path, b"hello").0, 200);
    let (status, head, body) = http(nimbus.address, &nimbus.token, "GET", &path, b"");
    assert_eq!((status, body.as_slice()), (200, &b"hello"[..]));
    assert!(head.contains("content-length: 5"), "{head}");
    let (status, head, _) = http(nimbus.address, &nimbus.token, "HEAD", &path, b"");
    assert!(status == 200 && head.contains("content-length: 5"), "{head}");
    assert_eq!(std::fs::read_dir(dir.path().join("blobs")).unwrap().count(), 1);
}

#[test]
fn secrets_are_not_shown() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let nimbus = Nimbus::start(dir.path(), &clock);
    let mut secret = plan("p", 1);
    secret["components"][0]["config"] = json!({"password": "hush"});
    secret["components"][0]["secrets"] = json!(["/password"]);
    nimbus.submit(&secret);
    let (_, shown) = nimbus.get("/v1/topologies/p/plan");
    assert_eq!(shown["components"][0]["config"], json!({"password": "***"}));
}

#[tokio::test]
async fn nimbus_listens_on_loopback_only_and_announces_itself() {
    let dir = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = squall_nimbus::run(Options::new(dir.path().join("n")), listener, async {}).await.unwrap_err();
    assert!(refused.to_string().contains("encryption is not there yet"), "{refused}");
    assert!(!dir.path().join("n").exists());

    let file = dir.path().join("nimbus.json");
    let options = Options { discovery: Some(file.clone()), ..Options::new(dir.path().join("n")) };
    let nimbus = tokio::task::spawn_blocking(move || Nimbus::start_with(options)).await.unwrap();
    let said = squall_nimbus::read_discovery(&file).unwrap().unwrap();
    assert_eq!(said.url, format!("http://{}", nimbus.address));
    assert_eq!(std::fs::read_to_string(said.token_file).unwrap(), nimbus.token);
    tokio::task::spawn_blocking(move || nimbus.stop()).await.unwrap();
    assert_eq!(squall_nimbus::read_discovery(&file).unwrap(), None);
}

#[test]
fn of_an_upload_that_breaks_off_nothing_stays() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let model_command = Some(vec!["sh".into()]);
    let nimbus = Nimbus::start_with(Options { model_command, clock, ..Options::new(dir.path()) });
    let count = |folder: &str| std::fs::read_dir(dir.path().join(folder)).unwrap().count();
    let (address, token) = (nimbus.address, nimbus.token.as_str());
    for (method, path, folder) in
        [("PUT", format!("/v1/blobs/{HELLO}"), "blobs"), ("POST", "/v1/models/import".to_owned(), "imports")]
    {
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n");
        let begun = |rest: &str| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(format!("{head}{rest}").as_bytes()).unwrap();
            until("the upload begins", || count(folder) == 1);
            stream
        };
        // Cut.
        drop(begun("content-length: 1000\r\n\r\nhel"));
        until("what was cut is gone", || count(folder) == 0);
        // Too short: whoever still listens hears it.
        let mut stream = begun("connection: close\r\ncontent-length: 1000\r\n\r\nhel");
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(answer.contains("the upload broke off after 3 bytes, and nothing of it was kept"), "{answer}");
        assert!(answer.contains("send it again"), "{answer}");
        until("what was short is gone", || count(folder) == 0);
    }
    assert_eq!(nimbus.call("PUT", &format!("/v1/blobs/{HELLO}"), b"hello").0, 201, "and it may come again");
}

#[test]
fn who_sends_what_is_refused_hears_so() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let nimbus = Nimbus::start(dir.path(), &clock);
    let (address, token, large) = (nimbus.address, nimbus.token.as_str(), vec![b'x'; 24 << 20]);
    let send = |path: &str, length: &str, body: &[u8]| {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!(
            "PUT {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\n{length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let (hello, length) = (format!("/v1/blobs/{HELLO}"), format!("content-length: {}", large.len()));
    let chunked = [format!("{:x}\r\n", large.len()).as_bytes(), &large, b"\r\n0\r\n\r\n"].concat();
    for (path, length, body, status) in [
        (hello.as_str(), length.as_str(), &large, "413"),
        (hello.as_str(), "transfer-encoding: chunked", &chunked, "413"),
        ("/v1/blobs/nothing", length.as_str(), &large, "404"),
    ] {
        let answer = send(path, length, body);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer:.200}");
    }
    // Who asks first is told before a byte is sent.
    let answer = send(&hello, &format!("{length}\r\nexpect: 100-continue"), b"");
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(std::fs::read_dir(dir.path().join("blobs")).unwrap().count(), 0);
}
