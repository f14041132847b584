//! A worker's links under whatever comes in, for fuzzers, and for nobody else: protocol, ledger and tasks are the real ones; sockets,
//! threads and the clock are not there, so that the same bytes always do the same.
//!
//! Bytes are events, one after the other: a kind, the length of what follows (u16, little-endian), and that.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use squall_core::control::{Peer, RunState, incarnation};
use squall_core::wire::decode_frame;
use squall_core::{Plan, Registry};

use crate::link::Command;
use crate::simulated::{Line, Lines, Node, Start};

/// Frames that all lines take between two events.
const ROOM: usize = 64;
/// Tasks' turns in one event, at most.
const TURNS: usize = 64;
/// What a conversation between two healthy workers comes to, in rounds.
const ROUNDS: u32 = 40;

/// A message comes in.
const MESSAGE: u8 = 0;
/// Time passes: milliseconds (u16).
const TIME: u8 = 1;
/// Lines are lost and made again.
const LINES: u8 = 2;
/// Tasks take turns: how many (u8).
const TURN: u8 = 3;
/// Orders: epoch, since when the other worker has its place, how often it was started, and whether it is there (u8 each).
const ORDERS: u8 = 4;
/// Spouts pause or go on, tuples wait (u8), and the other workers are told.
const TELL: u8 = 5;

/// Lets the events happen to worker 0 of two that share the tasks of a plan. May not panic, hang, or take memory that the bytes did not
/// pay for; and whatever it sends is well-formed.
pub fn link(registry: &Registry, plan: &Arc<Plan>, mut bytes: &[u8]) {
    let mut worker = Worker::new(registry, plan, 0);
    while let [kind, low, high, rest @ ..] = bytes {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (content, rest) = rest.split_at(length);
        worker.meet(*kind, content);
        bytes = rest;
    }
    worker.node.engine.task_reports();
}

/// What two healthy workers say to each other until every tuple is done, as the events of worker 0; with `broken`, the line breaks again
/// and again, and the other one is replaced in the middle.
pub fn conversation(registry: &Registry, plan: &Arc<Plan>, broken: bool) -> Vec<u8> {
    let (mut one, mut other) = (Worker::new(registry, plan, 0), Worker::new(registry, plan, 1));
    let mut said = Vec::new();
    let mut tell = |one: &mut Worker, kind: u8, content: &[u8]| {
        let Ok(length) = u16::try_from(content.len()) else { return };
        said.push(kind);
        said.extend_from_slice(&length.to_le_bytes());
        said.extend_from_slice(content);
        one.meet(kind, content);
    };
    tell(&mut one, ORDERS, &[1, 1, 1, 1]);
    other.meet(ORDERS, &[1, 1, 1, 1]);
    for round in 0..ROUNDS {
        if broken && round == ROUNDS / 2 {
            other = Worker::again(registry, plan, 1, 2);
            tell(&mut one, ORDERS, &[1, 1, 2, 1]);
            other.meet(ORDERS, &[1, 1, 1, 1]);
        }
        tell(&mut one, TURN, &[8]);
        one.sent().iter().for_each(|frame| other.meet(MESSAGE, frame));
        other.meet(TURN, &[8]);
        other.meet(TIME, &[10, 0]);
        other.sent().iter().for_each(|frame| tell(&mut one, MESSAGE, frame));
        tell(&mut one, TIME, &[10, 0]);
        one.sent().iter().for_each(|frame| other.meet(MESSAGE, frame));
        if broken && round % 7 == 6 {
            tell(&mut one, LINES, &[]);
            tell(&mut one, TELL, &[u8::from(round % 2 == 0), 200]);
        }
    }
    said
}

struct Worker {
    index: u32,
    tasks: [Vec<u32>; 2],
    node: Node<Wires>,
    wires: Wires,
    now: Instant,
    inactive: bool,
}

impl Worker {
    fn new(registry: &Registry, plan: &Arc<Plan>, index: u32) -> Self {
        Worker::again(registry, plan, index, 1)
    }

    fn again(registry: &Registry, plan: &Arc<Plan>, index: u32, start: u32) -> Self {
        let tasks = [1, 0].map(|odd| (1..=plan.task_count()).filter(|t| t % 2 == odd).collect::<Vec<u32>>());
        let (now, wires) = (Instant::now(), Wires::default());
        let start = Start {
            topology: "fuzzed-1".into(),
            hash: "hash".into(),
            worker: index,
            incarnation: incarnation(1, start),
            endpoint: format!("tcp://{index}.{start}"),
            seed: u64::from(index) << 8 | u64::from(start),
            began: now,
        };
        let node = Node::new(registry, plan, &tasks[index as usize], start, wires.clone(), now).expect("the plan can be run");
        Worker { index, tasks, node, wires, now, inactive: false }
    }

    /// What it sent since it was asked last.
    fn sent(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.wires.sent.borrow_mut())
    }

    fn meet(&mut self, kind: u8, content: &[u8]) {
        let byte = |at: usize| content.get(at).copied().unwrap_or_default();
        match kind {
            // Before the first orders a worker takes nothing in.
            MESSAGE if self.node.has_orders() => self.node.take(content, self.now),
            TIME => self.now += Duration::from_millis(u16::from_le_bytes([byte(0), byte(1)]).into()),
            LINES => self.wires.news.borrow_mut().iter().for_each(|news| news.borrow_mut().extend([false, true])),
            TURN => {
                for _ in 0..usize::from(byte(0)).min(TURNS) {
                    self.node.turn(|_| 0);
                }
                // What waits goes, as when a thread has nothing else to do.
                self.node.engine.shared.go();
            }
            ORDERS => {
                let [epoch, since, start, there] = [0, 1, 2, 3].map(|at| u64::from(byte(at)));
                let there = there > 0;
                let peer = |index: u32| Peer {
                    index,
                    tasks: self.tasks[index as usize].clone(),
                    since,
                    endpoint: (index == self.index || there).then(|| format!("tcp://{index}.{start}")),
                    incarnation: if there { incarnation(since, start as u32) } else { 0 },
                };
                self.node.protocol.obey(Command::Peers { epoch, workers: vec![peer(0), peer(1)] });
            }
            TELL => {
                self.inactive = byte(0) > 0;
                self.node.protocol.obey(Command::Waits(u64::from(byte(1)) << 20));
                self.node.protocol.obey(Command::Finished);
            }
            _ => {}
        }
        self.node.state = if self.inactive { RunState::Inactive } else { RunState::Active };
        self.node.tend(self.now);
    }
}

/// Lines to nowhere, which remember what was sent.
#[derive(Clone, Default)]
struct Wires {
    sent: Rc<RefCell<Vec<Vec<u8>>>>,
    news: Rc<RefCell<Vec<News>>>,
}

type News = Rc<RefCell<VecDeque<bool>>>;

struct Wire {
    sent: Rc<RefCell<Vec<Vec<u8>>>>,
    news: News,
}

impl Lines for Wires {
    type Line = Wire;

    fn connect(&mut self, _: &str, _: u64) -> Result<Wire, String> {
        let news = News::new(RefCell::new([true].into()));
        self.news.borrow_mut().push(news.clone());
        Ok(Wire { sent: self.sent.clone(), news })
    }
}

impl Line for Wire {
    fn send(&mut self, frame: &[u8]) -> Result<bool, String> {
        assert!(decode_frame(frame).is_ok(), "a worker sends what no worker understands");
        let mut sent = self.sent.borrow_mut();
        if sent.len() >= ROOM {
            return Ok(false);
        }
        sent.push(frame.to_vec());
        Ok(true)
    }

    fn news(&mut self) -> Option<bool> {
        self.news.borrow_mut().pop_front()
    }

    fn give_up(&mut self) {}
}
