//! The numbers of a spout's streams, each its own.

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{Fake, HandClock, Nimbus, plan, started};

/// A spout with two streams, of which a bolt takes both, and another spout with one.
fn two_streams() -> Value {
    let mut plan = plan("p", 1);
    let n = plan["components"][0]["outputs"][0]["fields"].clone();
    plan["components"][0]["outputs"] = json!([{"name": "default", "fields": n}, {"name": "late", "fields": n}]);
    let input = |from, stream| json!({"from": from, "stream": stream, "fields": n, "grouping": {"type": "shuffle"}});
    plan["components"][1]["inputs"] = json!([input("count", "default"), input("count", "late"), input("one", "default")]);
    plan["components"][1]["parallelism"] = json!(1);
    let one = json!({"id": "one", "kind": "spout", "type": "t", "config": {}, "parallelism": 1,
        "outputs": [{"name": "default", "fields": n}]});
    plan["components"].as_array_mut().unwrap().insert(1, one);
    plan
}

/// Bucket 400 of times is about 50 ms, 464 about a second.
fn report(start: u32, first: (u64, u64), late: (u64, u64)) -> Value {
    let settled = |stream, (acked, failed), bucket| json!({"stream": stream, "acked": acked, "failed": failed, "complete": if acked == 0 { json!([]) } else { json!([[bucket, acked]]) }});
    let (acked, failed) = (first.0 + late.0, first.1 + late.1);
    let emitted = json!({"default": first.0 + first.1, "late": late.0 + late.1});
    json!({"incarnation": started(start), "epoch": 1, "phase": "running", "ignored_frames": 0, "link_bytes": [0, 0], "errors": [], "tasks": [
        {"task": 1, "emitted": acked + failed, "streams": emitted, "acked": acked, "failed": failed, "complete": [[400, first.0], [464, late.0]],
         "settled": [settled("default", first, 400), settled("late", late, 464)]},
        {"task": 2, "emitted": 7 * u64::from(start), "acked": 5 * u64::from(start), "failed": 2, "complete": [[400, 5 * start]]},
    ]})
}

#[test]
fn a_spouts_streams_are_told_apart_in_every_window_and_add_up() {
    let (dir, clock) = (tempfile::tempdir().unwrap(), HandClock::new());
    let mut nimbus = Nimbus::start(dir.path(), &clock);
    let mut s = Fake::new('a', 4);
    s.beat(&nimbus);
    s.hear(&nimbus);
    let id = nimbus.submit(&two_streams());
    assert!(s.hear(&nimbus));
    s.obey(1);
    let tell = |nimbus: &Nimbus, s: &Fake, reports: u64, report: Value| {
        clock.forward(Duration::from_millis(700));
        s.set(0, "reports", json!(reports));
        s.set(0, "report", report);
        s.beat(nimbus);
    };
    // Numbers that no second can divide evenly.
    (1..=9).for_each(|n| tell(&nimbus, &s, n, report(1, (n * 7, n), (n * 3, n * 2))));
    // The worker dies and comes back, nimbus too.
    s.set(0, "died", json!([{"plan": s.desired[0]["plan"], "report": report(1, (71, 10), (29, 19))}]));
    s.set(0, "report", Value::Null);
    s.set(0, "incarnation", started(2));
    s.beat(&nimbus);
    s.set(0, "died", json!([]));
    tell(&nimbus, &s, 1, report(2, (4, 0), (0, 1)));
    nimbus.stop();
    nimbus = Nimbus::start(dir.path(), &clock);
    tell(&nimbus, &s, 2, report(2, (29, 1), (11, 1)));
    s.revision = None;
    s.hear(&nimbus);

    let streams = |component: &str, window: &str| -> Vec<Value> {
        let (code, page) = nimbus.get(&format!("/api/v1/topology/{id}/component/{component}?window={window}"));
        assert_eq!(code, 200, "{page}");
        let summary = page["spoutSummary"].as_array().unwrap().iter().find(|w| w["window"] == window).unwrap();
        let all = page["outputStats"].as_array().unwrap();
        for key in ["emitted", "acked", "failed"] {
            let sum: u64 = all.iter().map(|o| o[key].as_u64().unwrap()).sum();
            assert_eq!(summary[key], sum, "{window} {key}: {page}");
        }
        all.clone()
    };
    let told = |window: &str| -> Vec<[u64; 2]> {
        streams("count", window).iter().map(|o| [&o["acked"], &o["failed"]].map(|n| n.as_u64().unwrap())).collect()
    };
    let all = [[100, 11], [40, 20]];
    assert_eq!(told(":all-time"), all);
    // Time goes on until the newest second is finished; whatever a window has by then adds up.
    while told("600") != all {
        clock.forward(Duration::from_secs(1));
        s.beat(&nimbus);
    }
    assert_eq!([told("600"), told("10800"), told("86400")], [all, all, all]);
    for window in ["600", "10800", "86400", ":all-time"] {
        let latency = |o: &Value| o["completeLatency"].as_str().unwrap().parse::<f64>().unwrap();
        let times: Vec<f64> = streams("count", window).iter().map(latency).collect();
        let [first, late] = times[..] else { panic!("{times:?}") };
        assert!(0.0 < first && first < late / 10.0, "{window}: {times:?}");
        let one = streams("one", window);
        assert_eq!((one.len(), &one[0]["acked"], &one[0]["failed"]), (1, &json!(15), &json!(4)), "{window}");
        assert_eq!(latency(&one[0]), first, "{window}");
        let metrics = nimbus.get(&format!("/api/v1/topology/{id}/metrics?window={window}")).1["spouts"][0].clone();
        assert_eq!(metrics["acked"], json!([{"stream_id": "default", "value": 100}, {"stream_id": "late", "value": 40}]));
        assert_eq!(metrics["failed"], json!([{"stream_id": "default", "value": 11}, {"stream_id": "late", "value": 20}]));
        assert_ne!(metrics["complete_ms_avg"][0]["value"], metrics["complete_ms_avg"][1]["value"]);
    }

    // Squall's own interface says the same.
    let status = nimbus.get("/v1/topologies/p").1["components"].clone();
    let settled = |c: &Value, key: &str| c["settled"].as_array().unwrap().iter().map(|s| s[key].clone()).collect::<Vec<_>>();
    assert_eq!(
        (settled(&status[0], "acked"), settled(&status[0], "failed")),
        (vec![json!(100), json!(40)], vec![json!(11), json!(20)])
    );
    assert_eq!((&status[0]["acked"], &status[0]["failed"]), (&json!(140), &json!(31)));
    assert_eq!(status[1]["settled"], Value::Null, "of one stream, they are the spout's");
    let outputs = |component: &str| nimbus.get(&format!("/v1/topologies/p/components/{component}")).1["outputs"].clone();
    let (two, one) = (outputs("count"), outputs("one"));
    assert_eq!((&two[1]["stream"], &two[1]["acked"], &two[1]["complete"]["count"]), (&json!("late"), &json!(40), &json!(40)));
    assert_eq!((&one[0]["acked"], &one[0]["failed"], &one[0]["complete"]["count"]), (&json!(15), &json!(4), &json!(15)));

    // What is long past is in no short window.
    for _ in 0..70 {
        clock.forward(Duration::from_secs(10));
        s.beat(&nimbus);
    }
    assert_eq!((told("600"), told("10800")), (vec![[0, 0], [0, 0]], all.to_vec()));
}
