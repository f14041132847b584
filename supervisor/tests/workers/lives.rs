//! What becomes of workers.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use squall_core::control::{LogFile, Phase, RunState};
use squall_supervisor::Options;

use crate::http::http;
use crate::rig::{Rig, TOKEN, hash_of, kill, lives, send};

pub(crate) const ALL: [(&str, fn()); 17] = [
    ("a_worker_is_started_with_what_it_needs", a_worker_is_started_with_what_it_needs),
    ("threads_are_bound_to_cores_if_told_so", threads_are_bound_to_cores_if_told_so),
    ("a_worker_that_is_killed_is_started_again_at_once", a_worker_that_is_killed_is_started_again_at_once),
    ("a_worker_that_crashes_again_and_again_is_started_ever_more_slowly", a_worker_that_crashes_again_and_again),
    ("a_worker_that_hangs_is_killed_and_started_again", a_worker_that_hangs_is_killed_and_started_again),
    ("workers_hear_of_each_other_and_of_changes_at_once", workers_hear_of_each_other_and_of_changes_at_once),
    ("the_next_supervisor_adopts_what_runs", the_next_supervisor_adopts_what_runs),
    ("a_start_that_is_not_counted_as_the_newest_counts_on_once", a_start_that_is_not_counted_as_the_newest_counts_on_once),
    ("without_nimbus_workers_are_kept_alive", without_nimbus_workers_are_kept_alive),
    ("workers_do_not_outlive_nimbus_for_longer_than_is_said", workers_do_not_outlive_nimbus_for_longer_than_is_said),
    ("what_is_not_wanted_is_stopped", what_is_not_wanted_is_stopped),
    ("other_tasks_need_another_process", other_tasks_need_another_process),
    ("workers_stop_with_the_supervisor_if_told_so", workers_stop_with_the_supervisor_if_told_so),
    ("a_blob_with_other_bytes_is_refused", a_blob_with_other_bytes_is_refused),
    ("a_topology_brings_its_own_worker", a_topology_brings_its_own_worker),
    ("what_cannot_be_started_leaves_no_token_behind", what_cannot_be_started_leaves_no_token_behind),
    ("the_door_keeps_out_what_does_not_belong", the_door_keeps_out_what_does_not_belong),
];

fn a_worker_is_started_with_what_it_needs() {
    let rig = Rig::new();
    let begun = Instant::now();
    let (wanted, up) = rig.run_one();
    println!("from nimbus's wish to nimbus's knowing the endpoint: {} ms", begun.elapsed().as_millis());
    let up = if up.phase == Some(Phase::Running) { up } else { rig.hears(|w| w.phase == Some(Phase::Running)) };
    assert_eq!((up.plan.as_str(), &up.tasks, up.restarts), (wanted.plan.as_str(), &wanted.tasks, 0));
    let launch = rig.worker_dir(0).join("launch.json");
    assert_eq!(std::fs::metadata(launch).unwrap().permissions().mode() & 0o777, 0o600);
    let log = std::fs::read_to_string(rig.worker_dir(0).join("worker.log")).unwrap();
    assert!(log.contains(&format!("up {} threads 5 pin []", up.incarnation)), "{log}");
}

fn threads_are_bound_to_cores_if_told_so() {
    let mut rig = Rig::new();
    rig.stop();
    rig.start(Options { cores: 2, pin: true, ..rig.options() });
    let workers = [rig.wanted("{}", 0, 2), rig.wanted("{}", 1, 2)];
    rig.nimbus.want(|d| d.workers = workers.to_vec());
    rig.hears_all(|h| h.workers.len() == 2 && h.workers.iter().all(|w| w.endpoint.is_some()));
    let cores = |worker| -> Vec<usize> {
        let launch = std::fs::read(rig.worker_dir(worker).join("launch.json")).unwrap();
        serde_json::from_value(serde_json::from_slice::<serde_json::Value>(&launch).unwrap()["pin"].clone()).unwrap()
    };
    let (first, second) = (cores(0), cores(1));
    let usable = rustix::thread::sched_getaffinity(None).unwrap();
    assert!(first.len() == 1 && usable.is_set(first[0]), "{first:?}");
    assert!(second.len() == 1 && usable.is_set(second[0]), "{second:?}");
    assert_eq!(first == second, usable.count() == 1, "{first:?} {second:?}");
}

fn a_worker_that_is_killed_is_started_again_at_once() {
    let rig = Rig::new();
    let (_, before) = rig.run_one();
    let before = rig.hears(|w| w.phase == Some(Phase::Running) && w.incarnation == before.incarnation);
    let begun = Instant::now();
    kill(before.pid.unwrap());
    let mut died = Vec::new();
    let after = rig.hears(|w| {
        died.extend(w.died.clone());
        w.endpoint.is_some() && w.incarnation > before.incarnation
    });
    println!("from death to the next one's hello: {} ms", begun.elapsed().as_millis());
    assert_eq!(after.restarts, 1);
    let exit = after.last_exit.unwrap();
    assert!(exit.how.contains("signal: 9") && exit.incarnation == before.incarnation, "{exit:?}");
    if let Some(last) = died.first() {
        assert_eq!((last.report.incarnation, last.report.tasks[0].emitted), (before.incarnation, 5));
    }
}

fn a_worker_that_hangs_is_killed_and_started_again() {
    let rig = Rig::new();
    let (_, before) = rig.run_one();
    let before = rig.hears(|w| w.phase == Some(Phase::Running) && w.incarnation == before.incarnation);
    let begun = Instant::now();
    send(before.pid.unwrap(), rustix::process::Signal::STOP);
    let after = rig.hears(|w| w.endpoint.is_some() && w.incarnation > before.incarnation);
    println!("from SIGSTOP to the next one's hello: {} ms", begun.elapsed().as_millis());
    let exit = after.last_exit.unwrap();
    assert!(exit.how.contains("hung") && exit.incarnation == before.incarnation, "{exit:?}");
    assert!(!lives(before.pid.unwrap()));
    assert_eq!(after.restarts, 1);
}

fn a_worker_that_crashes_again_and_again() {
    let rig = Rig::new();
    let wanted = rig.wanted(r#"{"crash": 1}"#, 0, 1);
    let begun = Instant::now();
    rig.nimbus.want(|d| d.workers = vec![wanted]);
    let seen = rig.hears(|w| w.restarts == 4);
    // At once, after 100 ms, after 200 ms.
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
    let exit = seen.last_exit.unwrap();
    assert_eq!((exit.how.as_str(), exit.output.as_str()), ("exit status: 3", "boom\n"));
}

fn workers_hear_of_each_other_and_of_changes_at_once() {
    let rig = Rig::new();
    let both = vec![rig.wanted("{}", 0, 2), rig.wanted("{}", 1, 2)];
    rig.nimbus.want(|d| d.workers = both.clone());
    rig.hears_all(|h| h.workers.len() == 2 && h.workers.iter().all(|w| w.phase == Some(Phase::Running)));
    let begun = Instant::now();
    rig.nimbus.want(|d| d.workers.iter_mut().for_each(|w| w.orders.state = RunState::Inactive));
    rig.hears_all(|h| h.workers.iter().all(|w| w.phase == Some(Phase::Drained)));
    println!("from INACTIVE to nimbus's knowing that all have drained: {} ms", begun.elapsed().as_millis());
    for worker in 0..2 {
        let log = std::fs::read_to_string(rig.worker_dir(worker).join("worker.log")).unwrap();
        assert!(log.contains("orders Inactive epoch 1 up 2"), "nimbus told nobody's endpoint: {log}");
        assert!(log.contains("threads 2"), "5 cores for two: {log}");
    }
}

fn the_next_supervisor_adopts_what_runs() {
    let mut rig = Rig::new();
    let (_, before) = rig.run_one();
    let (pid, url) = (before.pid.unwrap(), rig.url().to_owned());
    rig.stop();
    assert!(lives(pid), "a supervisor's end does not touch its workers");
    rig.nimbus.want(|d| d.workers[0].orders.state = RunState::Inactive);
    rig.start(rig.options());
    assert_eq!(rig.url(), url, "its workers know it by that");
    let after = rig.hears(|w| w.phase == Some(Phase::Drained));
    assert_eq!((after.pid, after.incarnation, after.restarts), (Some(pid), before.incarnation, 0));
    assert_eq!(after.endpoint, before.endpoint);

    kill(pid);
    let next = rig.hears(|w| w.endpoint.is_some() && w.incarnation > before.incarnation);
    assert_eq!(next.restarts, 1);
    // One that died while nobody looked is started again too.
    rig.stop();
    kill(next.pid.unwrap());
    rig.start(rig.options());
    rig.hears(|w| w.endpoint.is_some() && w.incarnation > next.incarnation);
}

fn a_start_that_is_not_counted_as_the_newest_counts_on_once() {
    let mut rig = Rig::new();
    let (_, before) = rig.run_one();
    rig.stop();
    rig.start(rig.options());
    rig.hears_all(|h| h.life == 2);
    rig.stop();
    let file = rig.dir.path().join("lives");
    std::fs::remove_file(&file).unwrap();
    rig.start(rig.options());
    let heard = rig.hears_all(|h| h.life == 3);
    assert_eq!((heard.workers[0].pid, heard.workers[0].restarts), (before.pid, 0));
    let kept = || std::fs::read_to_string(&file).unwrap();
    assert_eq!(kept(), "3");
    // Nimbus hears a double of it, which was started from a copy of the folder.
    rig.nimbus.hears_later(&rig.runtime, 9, 3);
    assert_eq!(kept(), "3", "they do not overtake each other for ever");
}

fn without_nimbus_workers_are_kept_alive() {
    let mut rig = Rig::new();
    let (wanted, before) = rig.run_one();
    rig.stop();
    // The next one knows of no nimbus: nobody listens there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    rig.start(Options { nimbus: format!("http://{nobody}"), ..rig.options() });
    let path = format!("/v1/workers/{}/0/orders?incarnation={}", wanted.topology, before.incarnation);
    assert_eq!(rig.get(&path).0, 204, "it goes on with what it was told");
    kill(before.pid.unwrap());
    let log = || std::fs::read_to_string(rig.worker_dir(0).join("worker.log")).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    // The second one is told what the first was.
    while log().matches("threads").count() < 2 || !log().ends_with("up 1\n") {
        assert!(Instant::now() < deadline, "{}", log());
        std::thread::yield_now();
    }
}

fn workers_do_not_outlive_nimbus_for_longer_than_is_said() {
    let mut rig = Rig::new();
    let (_, before) = rig.run_one();
    rig.stop();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let patience = Some(Duration::from_millis(100));
    rig.start(Options { nimbus: format!("http://{nobody}"), without_nimbus: patience, ..rig.options() });
    let deadline = Instant::now() + Duration::from_secs(20);
    while lives(before.pid.unwrap()) {
        assert!(Instant::now() < deadline, "it runs on");
        std::thread::yield_now();
    }
    rig.stop();
    rig.start(rig.options());
    rig.hears(|w| w.endpoint.is_some() && w.incarnation > before.incarnation);
}

fn what_is_not_wanted_is_stopped() {
    let rig = Rig::new();
    let (_, up) = rig.run_one();
    rig.nimbus.want(|d| d.workers.clear());
    rig.hears_all(|h| h.workers.is_empty());
    assert!(!lives(up.pid.unwrap()));
    for file in ["launch.json", "process.json"] {
        assert!(!rig.worker_dir(0).join(file).exists(), "{file} holds the token, or a process that is no more");
    }
    assert!(rig.worker_dir(0).join("worker.log").exists(), "what it said stays");
}

fn other_tasks_need_another_process() {
    let rig = Rig::new();
    let (_, before) = rig.run_one();
    rig.nimbus.want(|d| d.workers[0].tasks = vec![1, 2]);
    let after = rig.hears(|w| w.endpoint.is_some() && w.tasks == [1, 2] && !w.stopping);
    assert!(!lives(before.pid.unwrap()) && after.incarnation > before.incarnation);
    assert_eq!(after.restarts, 0, "that was no death");
}

fn workers_stop_with_the_supervisor_if_told_so() {
    let mut rig = Rig::new();
    rig.stop();
    rig.start(Options { stop_workers_on_exit: true, ..rig.options() });
    let (_, up) = rig.run_one();
    let begun = Instant::now();
    rig.stop();
    assert!(!lives(up.pid.unwrap()));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

fn a_blob_with_other_bytes_is_refused() {
    let rig = Rig::new();
    let wanted = rig.wanted("{}", 0, 1);
    rig.nimbus.put(&wanted.plan, b"{\"other\": 1}".to_vec());
    rig.nimbus.want(|d| d.workers = vec![wanted.clone()]);
    let problem = rig.hears(|w| w.problem.is_some()).problem.unwrap();
    assert!(problem.contains("other bytes than the blob"), "{problem}");
    assert_eq!(std::fs::read_dir(rig.dir.path().join("blobs")).unwrap().count(), 0);
    rig.nimbus.put(&wanted.plan, b"{}".to_vec());
    let up = rig.hears(|w| w.endpoint.is_some());
    assert_eq!(up.problem, None, "and all is well when nimbus has the right ones");
}

fn a_topology_brings_its_own_worker() {
    let rig = Rig::new();
    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let mut wanted = rig.wanted("{}", 0, 1);
    let (binary, model) = (hash_of(&program), hash_of(b"model"));
    rig.nimbus.put(&binary, program);
    rig.nimbus.put(&model, b"model".to_vec());
    wanted.binary = Some(binary.clone());
    wanted.models = [("m".to_owned(), model.clone())].into();
    rig.nimbus.want(|d| d.workers = vec![wanted]);
    let up = rig.hears(|w| w.endpoint.is_some());
    let blobs = rig.dir.path().join("blobs");
    let program = std::fs::read_link(format!("/proc/{}/exe", up.pid.unwrap())).unwrap();
    assert_eq!(program.file_name().unwrap().to_str(), Some(binary.as_str()));
    let mode = |hash: &str| std::fs::metadata(blobs.join(hash)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&binary), mode(&model), mode(&up.plan)), (0o755, 0o644, 0o600));
}

fn what_cannot_be_started_leaves_no_token_behind() {
    let rig = Rig::new();
    rig.hears_all(|_| true);
    let (large, nothing) = (hash_of(b"larger than any memory"), b"#!/there/is/no/such/program\n");
    let file = std::fs::File::create(rig.dir.path().join("blobs").join(&large)).unwrap();
    file.set_len(1 << 43).unwrap();
    rig.nimbus.put(&hash_of(nothing), nothing.to_vec());
    let mut workers = [rig.wanted("{}", 0, 2), rig.wanted("{}", 1, 2)];
    workers[0].models = [("m".to_owned(), large)].into();
    workers[1].binary = Some(hash_of(nothing));
    rig.nimbus.want(|d| d.workers = workers.to_vec());
    let heard = rig.hears_all(|h| h.workers.len() == 2 && h.workers.iter().all(|w| w.problem.is_some()));
    let problem = |w: usize| heard.workers[w].problem.as_deref().unwrap();
    assert!(problem(0).contains("models need 8796093022208 bytes"), "{}", problem(0));
    assert!(!problem(1).contains("models"), "{}", problem(1));
    for (index, worker) in heard.workers.iter().enumerate() {
        assert_eq!((worker.pid, worker.incarnation), (None, 0));
        let left: Vec<_> = std::fs::read_dir(rig.worker_dir(index as u32)).unwrap().map(|f| f.unwrap().file_name()).collect();
        assert!(left.iter().all(|f| f != "launch.json" && f != "process.json"), "{left:?}");
    }
}

fn the_door_keeps_out_what_does_not_belong() {
    let rig = Rig::new();
    let (_, up) = rig.run_one();
    for (token, path) in [("", "/v1/logs"), ("x", "/v1/logs"), (&*"0".repeat(32), "/v1/workers/t-1-17/0/orders?incarnation=1")]
    {
        assert_eq!(http(rig.url(), token, "GET", path, b"").0, 401, "{path}");
    }
    let post = |what: &str, body: &str| http(rig.url(), TOKEN, "POST", &format!("/v1/workers/{what}"), body.as_bytes()).0;
    assert_eq!(post("t-1-17/0/hello", "{"), 400);
    assert_eq!(post("t-1-17/0/report", "[]"), 400);
    assert_eq!(post("t-1-17/x/hello", "{}"), 400);
    let long = format!(r#"{{"incarnation": {}, "pid": 1, "endpoint": "{}"}}"#, up.incarnation, "x".repeat(600));
    assert_eq!(post("t-1-17/0/hello", &long), 400);
    assert_eq!(post("t-1-17/0/hello", r#"{"incarnation": 1, "pid": 1, "endpoint": "e"}"#), 410);
    assert_eq!(post("t-1-17/9/hello", r#"{"incarnation": 1, "pid": 1, "endpoint": "e"}"#), 410);
    assert_eq!(rig.get("/v1/workers/t-1-17/0/orders?incarnation=1&after=0&wait_ms=60000").0, 410, "and at once");
    assert_eq!(rig.get("/nowhere").0, 404);

    let logs: Vec<LogFile> = serde_json::from_slice(&rig.get("/v1/logs").2).unwrap();
    assert_eq!((logs[0].topology.as_str(), logs[0].worker), ("t-1-17", 0));
    for path in ["..%2f..", "t-1-17-0%2f..%2ft-1-17", "%2e%2e", "t-1"] {
        assert_eq!(rig.get(&format!("/v1/logs/{path}/0")).0, 404, "{path}");
    }
    let (status, head, body) = rig.get("/v1/logs/t-1-17/0?limit=3");
    assert_eq!((status, &body[..]), (200, &b"up "[..]));
    assert!(head.contains("squall-next: 3"), "{head}");
    let (_, head, body) = rig.get("/v1/logs/t-1-17/0?tail=5");
    assert_eq!(body.len(), 5);
    let end: u64 = head.split("squall-next: ").nth(1).unwrap().split('\r').next().unwrap().parse().unwrap();
    let (_, head, body) = rig.get(&format!("/v1/logs/t-1-17/0?offset={}", end + 100));
    assert!(head.contains("squall-offset: 0") && body.starts_with(b"up "), "begun anew: {head}");
    let followed = std::thread::scope(|s| {
        let follower = s.spawn(|| rig.get(&format!("/v1/logs/t-1-17/0?offset={end}&follow_ms=60000")));
        rig.nimbus.want(|d| d.workers[0].orders.epoch = 77);
        follower.join().unwrap().2
    });
    assert!(String::from_utf8_lossy(&followed).contains("epoch 77"));

    let again = Options { nimbus: "http://10.0.0.1:1".into(), ..rig.options() };
    rig.runtime.block_on(async {
        let other = tempfile::tempdir().unwrap();
        let open = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
        let refused = squall_supervisor::run(rig.options(), open, async {}).await.unwrap_err();
        assert!(refused.to_string().contains("encryption is not there yet"), "{refused}");
        let local = || tokio::net::TcpListener::bind("127.0.0.1:0");
        let refused = squall_supervisor::run(rig.options(), local().await.unwrap(), async {}).await.unwrap_err();
        assert!(refused.to_string().contains("another supervisor"), "{refused}");
        let far = Options { dir: other.path().to_owned(), ..again };
        let refused = squall_supervisor::run(far, local().await.unwrap(), async {}).await.unwrap_err();
        assert!(refused.to_string().contains("encryption is not there yet"), "the token must not leave: {refused}");
    });
}
