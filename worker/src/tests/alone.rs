//! One engine, no links.

use std::time::Duration;

use serde_json::json;
use squall_core::{Grouping, Settings};

use super::support::{alone, alone_on, counter, plan, sum, wait_for};

fn fields() -> Grouping {
    Grouping::Fields { fields: vec!["n".into()] }
}

#[test]
fn every_tuple_arrives_and_every_tree_is_done() {
    let plan = plan(
        Settings { max_spout_pending: 700, ..Settings::default() },
        &[
            ("numbers", "numbers", 2, json!({"to": 20_000}), &[]),
            ("pass", "pass", 3, json!({"times": 2}), &[("numbers", Grouping::Shuffle)]),
            ("sink", "sink", 4, json!({}), &[("pass", fields())]),
            ("all", "sink", 2, json!({}), &[("pass", Grouping::All)]),
        ],
    );
    let engine = alone(&plan);
    wait_for("the end", || engine.is_finished());
    wait_for("rest", || engine.is_drained());
    let reports = engine.task_reports();
    assert_eq!(sum(&plan, &reports, "numbers", |r| r.acked), 40_000);
    assert_eq!(sum(&plan, &reports, "numbers", |r| r.failed), 0);
    assert_eq!(sum(&plan, &reports, "numbers", counter("mistakes")), 0);
    assert_eq!(sum(&plan, &reports, "numbers", |r| r.complete.count()), 40_000);
    assert_eq!(sum(&plan, &reports, "sink", |r| r.executed), 80_000);
    // A key goes to one task only, so the tasks together saw each number once.
    assert_eq!(sum(&plan, &reports, "sink", counter("distinct")), 20_000);
    assert_eq!(sum(&plan, &reports, "all", |r| r.executed), 160_000);
    assert_eq!(sum(&plan, &reports, "pass", |r| r.transferred), 240_000);
    assert!(reports.iter().filter(|r| r.task >= 6).all(|r| r.executed > 10_000), "no sink was left out");
    engine.stop(Duration::from_secs(1));
}

/// It would be asked for ever.
#[test]
fn a_spout_that_panics_at_acks_without_taking_them_goes_on() {
    let plan = plan(
        Settings::default(),
        &[
            ("numbers", "numbers", 1, json!({"to": 50, "jumpy": true}), &[]),
            ("sink", "sink", 1, json!({}), &[("numbers", Grouping::Global)]),
        ],
    );
    let engine = alone(&plan);
    wait_for("the end", || engine.is_finished());
    assert_eq!(sum(&plan, &engine.task_reports(), "sink", |r| r.acked), 50);
    engine.stop(Duration::from_secs(1));
}

#[test]
fn numbers_are_told_by_stream_where_a_bolt_takes_several() {
    let both = [("many", Grouping::Shuffle), ("few", Grouping::Shuffle)];
    let plan = plan(
        Settings::default(),
        &[
            ("many", "numbers", 1, json!({"to": 3000}), &[]),
            ("few", "numbers", 1, json!({"to": 100}), &[]),
            ("moody", "moody", 1, json!({"by": 500, "panic": false}), &both),
            ("sink", "sink", 1, json!({}), &[("moody", Grouping::Global)]),
        ],
    );
    let engine = alone(&plan);
    wait_for("the end", || engine.is_finished());
    wait_for("rest", || engine.is_drained());
    let reports = engine.task_reports();
    let moody = reports.iter().find(|r| r.task == 3).unwrap();
    let told: Vec<_> = moody.inputs.iter().map(|i| (i.from.as_str(), i.executed, i.acked, i.failed)).collect();
    assert_eq!(told, [("many", 3006, 3000, 6), ("few", 100, 100, 0)]);
    assert_eq!(moody.inputs.iter().map(|i| i.busy_ns).sum::<u64>(), moody.busy_ns);
    assert!(reports[3].inputs.is_empty(), "of one stream, they are the task's");
    engine.stop(Duration::from_secs(1));
}

#[test]
fn what_became_of_tuples_is_told_by_stream_where_a_spout_has_several() {
    let both = [("numbers", Grouping::Shuffle), ("numbers/late", Grouping::Shuffle)];
    for acking in [true, false] {
        let plan = plan(
            Settings { acking, ..Settings::default() },
            &[
                ("numbers", "numbers", 1, json!({"to": 3000, "late": 3}), &[]),
                ("more", "numbers", 1, json!({"to": 100}), &[]),
                (
                    "moody",
                    "moody",
                    1,
                    json!({"by": 500, "panic": false}),
                    &[&both[..], &[("more", Grouping::Shuffle)]].concat(),
                ),
                ("sink", "sink", 1, json!({}), &[("moody", Grouping::Global)]),
            ],
        );
        let engine = alone(&plan);
        wait_for("the end", || engine.is_finished());
        wait_for("rest", || engine.is_drained());
        let reports = engine.task_reports();
        let numbers = reports.iter().find(|r| r.task == 1).unwrap();
        let told: Vec<_> = numbers.settled.iter().map(|s| (s.stream.as_str(), s.acked, s.failed, s.complete.count())).collect();
        // Without tracking, what is emitted is done; and nothing is measured.
        let wanted = match acking {
            true => [("default", 2000, 4, 2000), ("late", 1000, 2, 1000)],
            false => [("default", 2000, 0, 0), ("late", 1000, 0, 0)],
        };
        assert_eq!(told, wanted);
        assert_eq!((numbers.acked, numbers.failed), (3000, if acking { 6 } else { 0 }));
        let mut both = numbers.settled[0].complete.clone();
        both.merge(&numbers.settled[1].complete);
        assert_eq!(numbers.complete, both);
        assert_eq!(sum(&plan, &reports, "numbers", counter("mistakes")), 0);
        assert_eq!((reports[1].acked, reports[1].settled.len()), (100, 0), "of one stream, they are the task's");
        engine.stop(Duration::from_secs(1));
    }
}

#[test]
fn what_fails_is_emitted_again_until_it_is_done() {
    for panic in [false, true] {
        let plan = plan(
            Settings::default(),
            &[
                ("numbers", "numbers", 1, json!({"to": 3000}), &[]),
                ("moody", "moody", 1, json!({"by": 500, "panic": panic}), &[("numbers", Grouping::Shuffle)]),
                ("sink", "sink", 1, json!({}), &[("moody", Grouping::Global)]),
            ],
        );
        let engine = alone(&plan);
        wait_for("the end", || engine.is_finished());
        let reports = engine.task_reports();
        assert_eq!(sum(&plan, &reports, "numbers", |r| r.acked), 3000);
        assert_eq!(sum(&plan, &reports, "numbers", counter("mistakes")), 0);
        let replays = sum(&plan, &reports, "numbers", counter("replays"));
        assert_eq!(sum(&plan, &reports, "numbers", |r| r.failed), replays);
        // An error fails its tuple, a panic what is left of the batch.
        assert!(if panic { replays >= 6 } else { replays == 6 }, "{replays} replays");
        assert_eq!(sum(&plan, &reports, "sink", counter("distinct")), 3000);
        let errors = engine.errors();
        assert_eq!((errors.len(), errors[0].component.as_str(), errors[0].panic), (1, "moody", panic));
        assert!(errors[0].message.contains(if panic { "is divisible by 500" } else { "not now" }));
        assert_eq!(errors[0].count, 6, "a panic is one error, however many tuples fail with it");
        assert_eq!(sum(&plan, &reports, "moody", |r| r.errors), 6);
        let stack = &errors[0].stack;
        assert_eq!(stack.contains("\n  at ") && stack.contains("tests::components::Moody"), panic, "{stack}");
        assert!(!(stack.contains("catch_unwind") || stack.contains("BoltRole")), "{stack}");
        engine.stop(Duration::from_secs(1));
    }
}

#[test]
fn what_failed_too_often_is_a_dead_letter_and_nothing_else_is() {
    for (panic, said) in [(false, "moody: not now"), (true, "moody: panicked: 500 is divisible by 500")] {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("sub/dead.jsonl");
        let settings = Settings { max_failures: Some(3), dead_letters: Some(file.clone()), ..Settings::default() };
        let plan = plan(
            settings,
            &[
                ("numbers", "numbers", 1, json!({"to": 999}), &[]),
                ("moody", "moody", 1, json!({"by": 500, "panic": panic, "always": true}), &[("numbers", Grouping::Shuffle)]),
                ("sink", "sink", 1, json!({}), &[("moody", Grouping::Global)]),
            ],
        );
        let engine = alone(&plan);
        wait_for("the end", || engine.is_finished());
        let reports = engine.task_reports();
        assert_eq!(sum(&plan, &reports, "sink", counter("distinct")), 998, "its neighbours in the batch are done");
        assert_eq!(sum(&plan, &reports, "numbers", counter("dead_letters")), 1);
        assert_eq!(sum(&plan, &reports, "numbers", counter("mistakes")), 0);
        engine.stop(Duration::from_secs(1));
        let text = std::fs::read_to_string(&file).unwrap();
        let letter: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(letter["error"], *said);
        assert_eq!((&letter["component"], &letter["failures"]), (&json!("numbers"), &json!(3)));
        assert_eq!((&letter["tuple"], &letter["id"]), (&json!({"n": 500}), &json!(500)));
    }
}

#[test]
fn a_dead_letter_that_cannot_be_written_is_replayed_until_it_can() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("dead.jsonl");
    std::fs::create_dir(&file).unwrap();
    let settings = Settings { max_failures: Some(1), dead_letters: Some(file.clone()), ..Settings::default() };
    let plan = plan(
        settings,
        &[
            ("numbers", "numbers", 1, json!({"to": 3}), &[]),
            ("moody", "moody", 1, json!({"by": 2, "panic": false, "always": true}), &[("numbers", Grouping::Shuffle)]),
            ("sink", "sink", 1, json!({}), &[("moody", Grouping::Global)]),
        ],
    );
    let engine = alone(&plan);
    wait_for("replays", || sum(&plan, &engine.task_reports(), "numbers", counter("replays")) > 2);
    assert!(engine.errors().iter().any(|e| e.message.contains("cannot write the dead letter")));
    std::fs::remove_dir(&file).unwrap();
    wait_for("the end", || engine.is_finished());
    engine.stop(Duration::from_secs(1));
    assert!(std::fs::read_to_string(&file).unwrap().contains("\"tuple\":{\"n\":2}"));
}

#[test]
fn a_held_tuple_fails_at_the_time_out_and_joined_ones_are_done_together() {
    let plan = plan(
        Settings { message_timeout: Duration::from_millis(200), ..Settings::default() },
        &[
            ("numbers", "numbers", 1, json!({"to": 11}), &[]),
            ("hoard", "hoard", 1, json!({}), &[("numbers", Grouping::Global)]),
            ("sink", "sink", 1, json!({}), &[("hoard", Grouping::Global)]),
        ],
    );
    let engine = alone(&plan);
    // Number 1 is held for ever and fails; comes again, waits for a partner and fails; comes again and is joined with the
    // one before, whose ack fits no tree any more.
    wait_for("the end", || engine.is_finished());
    let reports = engine.task_reports();
    assert_eq!(sum(&plan, &reports, "numbers", counter("replays")), 2);
    assert_eq!(sum(&plan, &reports, "numbers", |r| r.acked), 11);
    assert_eq!(sum(&plan, &reports, "numbers", counter("mistakes")), 0);
    assert_eq!(sum(&plan, &reports, "sink", counter("sum")), 65 + 2);
    engine.stop(Duration::from_secs(1));
}

#[test]
fn waiting_behind_back_pressure_is_no_time_out() {
    let settings = Settings { message_timeout: Duration::from_millis(200), max_spout_pending: 2000, ..Settings::default() };
    let plan = plan(
        settings,
        &[
            ("numbers", "numbers", 1, json!({"to": 600}), &[]),
            ("slow", "slow", 1, json!({"micros": 2000}), &[("numbers", Grouping::Shuffle)]),
        ],
    );
    let engine = alone(&plan);
    wait_for("the end", || engine.is_finished());
    let reports = engine.task_reports();
    assert_eq!(sum(&plan, &reports, "numbers", |r| r.acked), 600);
    // The last tuple waited six times the time-out.
    assert_eq!(sum(&plan, &reports, "numbers", |r| r.failed), 0);
    engine.stop(Duration::from_secs(1));
}

#[test]
fn components_that_block_without_saying_so_do_not_stop_the_others() {
    let plan = plan(
        Settings::default(),
        &[
            ("numbers", "numbers", 1, json!({"to": 2}), &[]),
            ("stuck", "stuck", 2, json!({}), &[("numbers", Grouping::Shuffle)]),
            ("others", "numbers", 1, json!({"to": 100}), &[]),
            ("sink", "unstick", 1, json!({}), &[("others", Grouping::Shuffle)]),
        ],
    );
    // Both threads of the engine end up in `stuck`, and come out only when `unstick` gets its turn.
    let engine = alone(&plan);
    wait_for("the end", || engine.is_finished());
    assert_eq!(sum(&plan, &engine.task_reports(), "stuck", |r| r.executed), 2);
    // Threads are left: a paused spout that goes on again gets its turns.
    wait_for("rest", || engine.is_drained());
    engine.stop(Duration::from_secs(1));
}

#[test]
fn a_slow_bolt_slows_its_spout_through_the_chain() {
    let plan = plan(
        Settings { queue_tuples: 64, acking: false, ..Settings::default() },
        &[
            ("numbers", "numbers", 1, json!({"to": 1_000_000, "tracked": false}), &[]),
            ("pass", "pass", 1, json!({}), &[("numbers", Grouping::Shuffle)]),
            ("slow", "slow", 1, json!({"micros": 20}), &[("pass", Grouping::Shuffle)]),
            ("sink", "sink", 1, json!({}), &[("slow", Grouping::Shuffle)]),
        ],
    );
    let engine = alone(&plan);
    wait_for("some tuples", || sum(&plan, &engine.task_reports(), "sink", |r| r.executed) > 2000);
    let reports = engine.task_reports();
    let (emitted, executed) = (sum(&plan, &reports, "numbers", |r| r.emitted), sum(&plan, &reports, "slow", |r| r.executed));
    // A spout's and a bolt's one turn beyond full, each.
    assert!(emitted < executed + 2 * 64 + 2 * 1024, "{emitted} emitted, {executed} executed");
    assert!(sum(&plan, &reports, "pass", |r| r.blocked_ns) > 0);
    engine.stop(Duration::from_millis(100));
}

#[test]
fn direct_streams_reach_whom_they_name() {
    let plan = plan(
        Settings::default(),
        &[
            ("numbers", "numbers", 1, json!({"to": 300}), &[]),
            ("direct", "direct", 1, json!({"to": "sink"}), &[("numbers", Grouping::None)]),
            ("sink", "sink", 3, json!({}), &[("direct", Grouping::Direct)]),
        ],
    );
    let engine = alone(&plan);
    wait_for("the end", || engine.is_finished());
    let reports = engine.task_reports();
    let each: Vec<u64> = reports.iter().filter(|r| r.task >= 3).map(|r| r.executed).collect();
    assert_eq!(each, [100, 100, 100]);
    engine.stop(Duration::from_secs(1));
}

#[test]
fn thousands_of_tasks_share_two_threads() {
    let plan = plan(
        Settings::default(),
        &[
            ("numbers", "numbers", 1, json!({"to": 30_000}), &[]),
            ("pass", "pass", 2000, json!({}), &[("numbers", Grouping::Shuffle)]),
            ("sink", "sink", 2, json!({}), &[("pass", fields())]),
        ],
    );
    let engine = alone(&plan);
    wait_for("the end", || engine.is_finished());
    let reports = engine.task_reports();
    assert_eq!(sum(&plan, &reports, "sink", counter("distinct")), 30_000);
    assert!(reports.iter().filter(|r| (2..2002).contains(&r.task)).all(|r| r.executed == 15));
    engine.stop(Duration::from_secs(1));
}

#[test]
fn a_paused_spout_emits_nothing_and_goes_on_later() {
    let plan = plan(
        Settings { max_spout_pending: 10, ..Settings::default() },
        &[
            ("numbers", "numbers", 1, json!({"to": 100_000}), &[]),
            ("sink", "sink", 1, json!({}), &[("numbers", Grouping::Shuffle)]),
        ],
    );
    let engine = alone(&plan);
    wait_for("the first", || sum(&plan, &engine.task_reports(), "sink", |r| r.executed) > 0);
    engine.set_active(false);
    wait_for("rest", || engine.is_drained());
    let before = sum(&plan, &engine.task_reports(), "numbers", |r| r.emitted);
    assert!(before < 100_000);
    assert_eq!(sum(&plan, &engine.task_reports(), "numbers", |r| r.acked), before);
    engine.set_active(true);
    wait_for("the end", || engine.is_finished());
    engine.stop(Duration::from_secs(1));
}

#[test]
fn threads_are_bound_to_the_cores_they_are_given() {
    let usable = rustix::thread::sched_getaffinity(None).unwrap();
    let core = (0..1024u32).rfind(|c| usable.is_set(*c as usize)).unwrap();
    let plan = plan(
        Settings::default(),
        &[("numbers", "numbers", 1, json!({"to": 1000}), &[]), ("sink", "sink", 1, json!({}), &[("numbers", fields())])],
    );
    let engine = alone_on(&plan, vec![core]);
    wait_for("the end", || engine.is_finished());
    // Other tests of this process have threads of these names too, but bind none.
    let bound = |name: &str| {
        let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten().map(|t| t.path());
        threads.filter(|t| std::fs::read_to_string(t.join("comm")).is_ok_and(|c| c.trim() == name)).any(|t| {
            let status = std::fs::read_to_string(t.join("status")).unwrap_or_default();
            status.lines().any(|l| l.strip_prefix("Cpus_allowed_list:").is_some_and(|c| c.trim() == core.to_string()))
        })
    };
    wait_for("threads on their core", || bound("tasks-0") && bound("tasks-1"));
    engine.stop(Duration::from_secs(1));
    // A core that is not there keeps nobody from working.
    let engine = alone_on(&plan, vec![u32::MAX]);
    wait_for("the end", || engine.is_finished());
    engine.stop(Duration::from_secs(1));
}
