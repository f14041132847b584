use std::io::Write;
use std::path::Path;

use squall_core::Value;
use squall_core::harness::{Harness, SpoutHarness};

use super::*;

struct Test {
    dir: tempfile::TempDir,
    path: PathBuf,
}

fn file(text: &str) -> Test {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lines.txt");
    std::fs::write(&path, text).unwrap();
    Test { dir, path }
}

impl Test {
    fn spout(&self, index: u32, tasks: u32, more: serde_json::Value) -> Result<SpoutHarness> {
        let mut config = serde_json::json!({"path": self.path});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Harness::default().task(index, tasks).state_dir(self.dir.path().join("state")).spout_config::<Config>(config)
    }

    fn append(&self, text: &str) {
        std::fs::OpenOptions::new().append(true).open(&self.path).unwrap().write_all(text.as_bytes()).unwrap();
    }
}

fn lines(spout: &mut SpoutHarness) -> Vec<(u64, String, i64)> {
    let number = |v: &Value| if let Value::Int(n) = v { *n } else { panic!("{v:?}") };
    spout.take().iter().map(|s| (s.id.unwrap(), s.values[0].to_string(), number(&s.values[1]))).collect()
}

#[test]
fn lines_come_once_with_numbers_and_ids() {
    let file = file("one\r\n\nthrée\nlast");
    let mut spout = file.spout(0, 1, serde_json::json!({})).unwrap();
    assert_eq!(spout.run().unwrap(), Next::End);
    let expected = [(0, "one".into(), 1), (1, "".into(), 2), (2, "thrée".into(), 3), (3, "last".into(), 4)];
    assert_eq!(lines(&mut spout), expected);
}

#[test]
fn a_failed_line_is_read_again_where_it_lies() {
    let file = file("a\nbb\nccc\n");
    let mut spout = file.spout(0, 1, serde_json::json!({})).unwrap();
    spout.run().unwrap();
    spout.take();
    spout.fail(1);
    assert_eq!(spout.run().unwrap(), Next::End);
    assert_eq!(lines(&mut spout), [(1, "bb".into(), 2)]);
}

#[test]
fn tasks_share_the_lines_and_a_cycle_goes_on() {
    let file = file("a\nb\nc\n");
    let mut all = Vec::new();
    for index in 0..2 {
        let mut spout = file.spout(index, 2, serde_json::json!({"cycle": true})).unwrap();
        spout.room(6);
        while spout.sent().len() < 6 {
            assert_eq!(spout.next().unwrap(), Next::More);
        }
        all.extend(lines(&mut spout));
    }
    all.sort();
    let text = |id: u64| ["a", "b", "c"][(id % 3) as usize];
    assert!(all.iter().all(|(id, line, number)| line == text(*id) && *number as u64 == id % 3 + 1));
    assert_eq!(all.iter().map(|(id, ..)| id).collect::<std::collections::BTreeSet<_>>().len(), 12);
    assert_eq!(all.iter().map(|(id, ..)| *id).take(8).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7][..].to_vec());
}

#[test]
fn a_task_without_lines_ends_instead_of_turning_for_ever() {
    let file = file("a\n");
    assert_eq!(file.spout(1, 2, serde_json::json!({"cycle": true})).unwrap().run().unwrap(), Next::End);
}

#[test]
fn position_is_the_lowest_place_that_is_not_acked() {
    let file = file("a\nbb\nccc\n");
    let mut spout = file.spout(0, 1, serde_json::json!({})).unwrap();
    spout.run().unwrap();
    spout.ack(0);
    spout.ack(2);
    let position = spout.spout().position().unwrap().unwrap();
    assert_eq!(Place::from_bytes(&position).unwrap(), Place { offset: 2, line: 1 });
    let mut other = file.spout(0, 1, serde_json::json!({})).unwrap();
    other.spout().seek(&position).unwrap();
    other.run().unwrap();
    assert_eq!(lines(&mut other), [(1, "bb".into(), 2), (2, "ccc".into(), 3)]);
    assert!(other.spout().seek(b"short").is_err());
}

#[test]
fn a_checkpoint_is_taken_up_by_the_next_start() {
    let file = file("a\nb\nc\nd\n");
    let checkpoint = || serde_json::json!({"checkpoint": true});
    let mut spout = file.spout(0, 1, checkpoint()).unwrap();
    spout.run().unwrap();
    spout.ack(0);
    spout.ack(1);
    spout.spout().close().unwrap();
    let mut spout = file.spout(0, 1, checkpoint()).unwrap();
    spout.run().unwrap();
    assert_eq!(lines(&mut spout), [(2, "c".into(), 3), (3, "d".into(), 4)]);
    // With other tasks the lines are dealt out anew, from the lowest place on.
    let mut spout = file.spout(1, 2, checkpoint()).unwrap();
    spout.run().unwrap();
    assert_eq!(lines(&mut spout), [(3, "d".into(), 4)]);
    spout.ack_all();
    spout.spout().close().unwrap();
    // The other task of the two never wrote: it must not skip what its sister has done.
    let mut spout = file.spout(0, 2, checkpoint()).unwrap();
    spout.run().unwrap();
    assert_eq!(lines(&mut spout), [(0, "a".into(), 1), (2, "c".into(), 3)]);
    std::fs::write(&file.path, "x\n").unwrap();
    let mut spout = file.spout(0, 1, checkpoint()).unwrap();
    spout.run().unwrap();
    assert_eq!(lines(&mut spout), [(0, "x".into(), 1)], "a file that became shorter is another file");
}

#[test]
fn a_followed_file_gives_whole_lines_as_they_are_written() {
    let file = file("a\nhal");
    let mut spout = file.spout(0, 1, serde_json::json!({"follow": true})).unwrap();
    assert_eq!(spout.run().unwrap(), Next::After(FOLLOW));
    assert_eq!(lines(&mut spout), [(0, "a".into(), 1)]);
    file.append("f\nnext\n");
    assert_eq!(spout.run().unwrap(), Next::After(FOLLOW));
    assert_eq!(lines(&mut spout), [(1, "half".into(), 2), (2, "next".into(), 3)]);
    std::fs::write(&file.path, "new\n").unwrap();
    spout.run().unwrap();
    spout.run().unwrap();
    assert_eq!(lines(&mut spout), [(3, "new".into(), 4)]);
}

#[test]
fn a_followed_file_may_come_later() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("later.txt");
    let config = serde_json::json!({"path": path, "follow": true});
    let mut spout = Harness::default().spout_config::<Config>(config).unwrap();
    assert_eq!(spout.run().unwrap(), Next::After(FOLLOW));
    std::fs::write(&path, "here\n").unwrap();
    spout.run().unwrap();
    assert_eq!(lines(&mut spout), [(0, "here".into(), 1)]);
}

#[test]
fn wrong_configurations_are_refused_with_reasons() {
    let file = file("");
    let error = |more| file.spout(0, 1, more).err().unwrap().to_string();
    assert!(error(serde_json::json!({"cycle": true, "follow": true})).starts_with("config.follow: "));
    assert!(error(serde_json::json!({"cycle": true, "checkpoint": true})).contains("a file that cycles"));
    assert!(error(serde_json::json!({"path": "/no/such/file"})).starts_with("config.path: cannot open /no/such/file"));
    assert!(error(serde_json::json!({"path": Path::new("words.txt")})).contains("${TOPOLOGY_DIR}/words.txt"));
}
