//! A topology on a network that loses, delays, repeats and reorders, with workers that die, hang and come back as they should not,
//! under a clock that only moves when the simulation says so. Engine, ledger and protocol are the real ones; only sockets, threads
//! and the control plane are pretended. Everything follows from a seed: `SQUALL_SIMULATION_SEED=N` repeats one,
//! `SQUALL_SIMULATION_SEEDS=N` tries so many.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::json;
use squall_core::control::{self, incarnation};
use squall_core::{Grouping, Plan, Settings};

use super::components::{book, registry};
use super::support::{counter, plan, sum};
use crate::engine::{Engine, Surroundings, build};
use crate::link::parts::{Around, Counts, Line, Lines, Outboxes, Protocol, pair};
use crate::link::{self, Command};
use crate::random::SplitMix;

const SEEDS: u64 = 1500;
const WORKERS: u32 = 3;
const NUMBERS: u64 = 60;
/// Tuples that may wait for a task.
const QUEUE: u64 = 12;
const FAULTS: u32 = 10;
/// Frames that a line holds.
const HIGH_WATER: usize = 8;
/// Long after the last fault everything must be done.
const PATIENCE: Duration = Duration::from_secs(120);

struct Dice(SplitMix);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0.next() % n.max(1)
    }

    fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn ms(&mut self, most: u64) -> Duration {
        Duration::from_micros(self.below(most * 1000))
    }
}

/// What is on its way from one worker to an endpoint.
#[derive(Default)]
struct Pipe {
    to: String,
    frames: VecDeque<(Instant, Vec<u8>)>,
    news: VecDeque<bool>,
    closed: bool,
}

struct Net {
    dice: Dice,
    now: Instant,
    pipes: Vec<Rc<RefCell<Pipe>>>,
    /// Faults are over: nothing is lost any more.
    calm: bool,
}

struct SimLines(Rc<RefCell<Net>>);
struct SimLine(Rc<RefCell<Net>>, Rc<RefCell<Pipe>>);

impl Lines for SimLines {
    type Line = SimLine;

    fn connect(&mut self, endpoint: &str, _: u64) -> Result<SimLine, String> {
        let pipe = Rc::new(RefCell::new(Pipe { to: endpoint.to_owned(), news: VecDeque::from([true]), ..Pipe::default() }));
        self.0.borrow_mut().pipes.push(pipe.clone());
        Ok(SimLine(self.0.clone(), pipe))
    }
}

impl Line for SimLine {
    fn send(&mut self, frame: &[u8]) -> Result<bool, String> {
        let (mut net, mut pipe) = (self.0.borrow_mut(), self.1.borrow_mut());
        if pipe.frames.len() >= HIGH_WATER {
            return Ok(false);
        }
        let calm = net.calm;
        if !calm && net.dice.once_in(200) {
            return Ok(true);
        }
        let earliest = pipe.frames.back().map_or(net.now, |(at, _)| *at);
        let at = earliest.max(net.now + net.dice.ms(8));
        pipe.frames.push_back((at, frame.to_vec()));
        if !calm && net.dice.once_in(200) {
            pipe.frames.push_back((at, frame.to_vec()));
        }
        let n = pipe.frames.len();
        if !calm && n > 1 && net.dice.once_in(200) {
            let (a, b) = (pipe.frames[n - 1].0, pipe.frames[n - 2].0);
            pipe.frames.swap(n - 1, n - 2);
            (pipe.frames[n - 1].0, pipe.frames[n - 2].0) = (a, b);
        }
        Ok(true)
    }

    fn news(&mut self) -> Option<bool> {
        self.1.borrow_mut().news.pop_front()
    }

    fn give_up(&mut self) {
        self.1.borrow_mut().frames.clear();
    }
}

impl Drop for SimLine {
    fn drop(&mut self) {
        self.1.borrow_mut().closed = true;
    }
}

struct Node {
    worker: u32,
    incarnation: u64,
    endpoint: String,
    engine: Engine,
    protocol: Protocol<SimLines>,
    counts: Arc<Counts>,
    /// Orders on their way, with the revision it was told last.
    orders: Vec<(Instant, u64)>,
    told: u64,
    hangs_until: Option<Instant>,
    /// A copy that was moved away; it is stopped then.
    ends_at: Option<Instant>,
}

struct Simulation {
    seed: u64,
    plan: Arc<Plan>,
    net: Rc<RefCell<Net>>,
    nodes: Vec<Node>,
    /// All versions of the workers as orders have them.
    history: Vec<(u64, Vec<control::Peer>)>,
    starts: u32,
    /// When workers are started, by index.
    due: Vec<(Instant, u32)>,
    began: Instant,
    log: Vec<String>,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let settings = Settings {
            message_timeout: Duration::from_secs(3600),
            max_spout_pending: 20,
            queue_tuples: QUEUE as u32,
            ..Settings::default()
        };
        let plan = plan(
            settings,
            &[
                ("numbers", "numbers", 2, json!({"to": NUMBERS}), &[]),
                ("pass", "pass", 3, json!({"times": 2}), &[("numbers", Grouping::Shuffle)]),
                ("again", "pass", 3, json!({}), &[("pass", Grouping::Fields { fields: vec!["n".into()] })]),
                ("keep", "record", 3, json!({"book": 2 * seed}), &[("again", Grouping::Shuffle)]),
                ("all", "record", 2, json!({"book": 2 * seed + 1}), &[("again", Grouping::All)]),
            ],
        );
        let now = Instant::now();
        let mut dice = Dice(SplitMix::new(seed));
        let mut tasks: Vec<Vec<u32>> = vec![Vec::new(); WORKERS as usize];
        (1..=plan.task_count()).for_each(|t| tasks[dice.below(WORKERS.into()) as usize].push(t));
        let peer = |index: u32| control::Peer {
            index,
            tasks: tasks[index as usize].clone(),
            since: 1,
            endpoint: None,
            incarnation: 0,
        };
        let history = vec![(1, (0..WORKERS).map(peer).collect())];
        let net = Rc::new(RefCell::new(Net { dice, now, pipes: Vec::new(), calm: false }));
        let due = (0..WORKERS).map(|w| (now, w)).collect();
        Simulation { seed, plan, net, nodes: Vec::new(), history, starts: 0, due, began: now, log: Vec::new() }
    }

    fn dice<T>(&self, roll: impl FnOnce(&mut Dice) -> T) -> T {
        roll(&mut self.net.borrow_mut().dice)
    }

    fn now(&self) -> Instant {
        self.net.borrow().now
    }

    fn note(&mut self, text: String) {
        self.log.push(format!("{:6} ms  {text}", (self.now() - self.began).as_millis()));
    }

    fn start(&mut self, worker: u32) {
        let (epoch, peers) = self.history.last().unwrap().clone();
        self.starts += 1;
        let number = incarnation(peers[worker as usize].since, self.starts);
        let endpoint = format!("tcp://{worker}.{}", self.starts);
        self.note(format!("worker {worker} starts as {number:x}"));
        let settings = link::Settings {
            token: "secret".into(),
            topology: "simulated-1".into(),
            plan: "hash".into(),
            worker,
            incarnation: number,
            bind: String::new(),
            seed: number,
        };
        let (waker, _) = pair().unwrap();
        let outboxes = Arc::new(Outboxes::new(waker));
        let around = Surroundings {
            worker,
            incarnation: number,
            // The simulation has a clock of its own; for engines time stands still.
            began: Instant::now() + Duration::from_secs(86_400),
            tasks: peers[worker as usize].tasks.iter().copied().collect(),
            threads: 0,
            pin: Vec::new(),
            models: BTreeMap::new(),
            state_dir: std::env::temp_dir(),
            links: outboxes.clone(),
            runtime: None,
            live: Default::default(),
            seed: self.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15),
        };
        let engine = build(self.plan.clone(), &registry(), around).unwrap();
        let counts = Arc::new(Counts::default());
        let around = Around { engine: engine.shared.clone(), outboxes, counts: counts.clone(), news: Box::new(|_| {}) };
        let lines = SimLines(self.net.clone());
        let protocol = Protocol::new(settings, endpoint.clone(), lines, around, self.now());
        let orders = vec![(self.now(), self.history.len() as u64)];
        let (hangs_until, ends_at) = (None, None);
        self.nodes.push(Node {
            worker,
            incarnation: number,
            endpoint: endpoint.clone(),
            engine,
            protocol,
            counts,
            orders,
            told: 0,
            hangs_until,
            ends_at,
        });
        let mut peers = peers;
        (peers[worker as usize].endpoint, peers[worker as usize].incarnation) = (Some(endpoint), number);
        self.publish(epoch, peers);
    }

    /// Others hear of it sooner or later, and the newest last.
    fn publish(&mut self, epoch: u64, peers: Vec<control::Peer>) {
        self.history.push((epoch, peers));
        let revision = self.history.len() as u64;
        for n in 0..self.nodes.len() {
            // Copies that were moved away hear nothing any more.
            if self.nodes[n].ends_at.is_none() {
                let at = self.now() + self.dice(|d| d.ms(200));
                self.nodes[n].orders.push((at, revision));
            }
        }
    }

    /// The one that is to run as this worker.
    fn current(&self, worker: u32) -> Option<usize> {
        self.nodes.iter().position(|n| n.worker == worker && n.ends_at.is_none())
    }

    fn vanish(&mut self, n: usize) {
        let node = self.nodes.remove(n);
        for pipe in &self.net.borrow().pipes {
            let mut pipe = pipe.borrow_mut();
            if pipe.to == node.endpoint {
                pipe.frames.clear();
            }
        }
    }

    fn fault(&mut self) {
        let worker = self.dice(|d| d.below(WORKERS.into())) as u32;
        let Some(n) = self.current(worker) else { return };
        match self.dice(|d| d.below(4)) {
            0 | 1 => {
                self.note(format!("worker {worker} dies"));
                self.vanish(n);
                let (epoch, mut peers) = self.history.last().unwrap().clone();
                (peers[worker as usize].endpoint, peers[worker as usize].incarnation) = (None, 0);
                self.publish(epoch, peers);
                let at = self.now() + self.dice(|d| d.ms(300));
                self.due.push((at, worker));
            }
            2 => {
                self.note(format!("worker {worker} hangs, is moved, and comes back for a while"));
                let (now, hangs, ends) = (self.now(), self.dice(|d| d.ms(800)), self.dice(|d| d.ms(800)));
                self.nodes[n].hangs_until = Some(now + hangs);
                self.nodes[n].ends_at = Some(now + hangs + ends);
                let (epoch, mut peers) = self.history.last().unwrap().clone();
                let peer = &mut peers[worker as usize];
                (peer.endpoint, peer.incarnation, peer.since) = (None, 0, epoch + 1);
                self.publish(epoch + 1, peers);
                let at = self.now() + self.dice(|d| d.ms(300));
                self.due.push((at, worker));
            }
            _ => {
                self.note("connections break".to_owned());
                let pipes = self.net.borrow().pipes.clone();
                for pipe in pipes.iter().filter(|_| self.dice(|d| d.once_in(2))) {
                    let mut pipe = pipe.borrow_mut();
                    let kept = self.dice(|d| d.below(pipe.frames.len() as u64 + 1)) as usize;
                    pipe.frames.truncate(kept);
                    pipe.news.extend([false, true]);
                }
            }
        }
    }

    /// Gives one worker a turn at its links.
    fn tend(&mut self, n: usize) {
        let now = self.now();
        let node = &mut self.nodes[n];
        node.protocol.now = now;
        let (heard, later): (Vec<_>, Vec<_>) = node.orders.iter().partition(|(at, _)| *at <= now);
        node.orders = later;
        if let Some(revision) = heard.into_iter().map(|(_, r)| r).max().filter(|r| *r > node.told) {
            node.told = revision;
            let (epoch, workers) = self.history[revision as usize - 1].clone();
            node.protocol.obey(Command::Peers { epoch, workers });
        }
        node.protocol.watch();
        node.protocol.acknowledge();
        node.protocol.pump();
        // As a worker does: once the links to all others were open.
        if node.counts.connected.load(Ordering::SeqCst) {
            node.engine.set_active(true);
        }
    }

    fn deliver(&mut self, pipe: &Rc<RefCell<Pipe>>) -> bool {
        let now = self.now();
        let to = pipe.borrow().to.clone();
        let node = self.nodes.iter_mut().find(|n| n.endpoint == to);
        if node.as_ref().is_some_and(|n| n.hangs_until.is_some() || !n.protocol.has_orders()) {
            return false;
        }
        let is_due = pipe.borrow().frames.front().is_some_and(|(at, _)| *at <= now);
        let Some((_, frame)) = is_due.then(|| pipe.borrow_mut().frames.pop_front()).flatten() else { return false };
        if let Some(node) = node {
            node.protocol.now = now;
            node.protocol.take(&frame);
        }
        true
    }

    fn step(&mut self) {
        let now = self.now();
        while let Some(at) = self.due.iter().position(|(at, _)| *at <= now) {
            let (_, worker) = self.due.remove(at);
            self.start(worker);
        }
        while let Some(n) = self.nodes.iter().position(|n| n.ends_at.is_some_and(|at| at <= now)) {
            self.note(format!("the old copy of worker {} ends", self.nodes[n].worker));
            self.vanish(n);
        }
        self.nodes.iter_mut().for_each(|n| n.hangs_until = n.hangs_until.filter(|until| *until > now));
        self.net.borrow_mut().pipes.retain(|p| !p.borrow().closed);
        let awake: Vec<usize> = (0..self.nodes.len()).filter(|n| self.nodes[*n].hangs_until.is_none()).collect();
        let mut busy = false;
        if !awake.is_empty() {
            for _ in 0..self.dice(|d| d.below(4)) {
                let n = awake[self.dice(|d| d.below(awake.len() as u64)) as usize];
                let (net, shared) = (self.net.clone(), self.nodes[n].engine.shared.clone());
                busy |= shared.scheduler.turn_of_one(|n| net.borrow_mut().dice.below(n as u64) as usize, &shared);
            }
            let n = awake[self.dice(|d| d.below(awake.len() as u64)) as usize];
            self.tend(n);
        }
        let pipes = self.net.borrow().pipes.clone();
        for _ in 0..self.dice(|d| d.below(6)) {
            if !pipes.is_empty() {
                let pipe = &pipes[self.dice(|d| d.below(pipes.len() as u64)) as usize];
                busy |= self.deliver(pipe);
            }
        }
        let pass = self.dice(|d| d.ms(if busy { 1 } else { 20 }));
        self.net.borrow_mut().now += pass;
    }

    fn is_done(&self) -> bool {
        let with_spouts = |n: &Node| self.history[0].1[n.worker as usize].tasks.iter().any(|t| *t <= 2);
        self.nodes.len() == WORKERS as usize
            && self.nodes.iter().all(|n| n.engine.is_drained() && (!with_spouts(n) || n.engine.is_finished()))
    }

    fn run(mut self) {
        let mut faults = 0;
        while faults < FAULTS {
            self.step();
            if self.dice(|d| d.once_in(150)) {
                self.fault();
                faults += 1;
            }
        }
        self.net.borrow_mut().calm = true;
        let until = self.now() + PATIENCE;
        while !self.is_done() {
            self.step();
            if self.now() > until {
                self.fail("it stands still");
            }
        }
        // The last credits are on their way.
        let until = self.now() + Duration::from_secs(5);
        while self.now() < until {
            self.step();
        }
        let all: BTreeSet<i64> = (1..=NUMBERS as i64).collect();
        for (n, what) in [(0, "keep"), (1, "all")] {
            let seen = book(2 * self.seed + n);
            if seen != all {
                self.fail(&format!("`{what}` never got {:?}", all.difference(&seen).collect::<Vec<_>>()));
            }
        }
        for node in &self.nodes {
            let reports = node.engine.task_reports();
            if sum(&self.plan, &reports, "numbers", counter("mistakes")) > 0 {
                self.fail("a tree was told to be done or failed twice");
            }
            // What is taken in is credited in quarters.
            for task in 1..=self.plan.task_count() {
                let waiting = node.engine.shared.gate(task).map_or(0, |g| g.tuples());
                if waiting >= QUEUE / 4 {
                    self.fail(&format!("worker {} believes that {waiting} tuples wait for task {task}", node.worker));
                }
            }
        }
    }

    fn fail(&self, what: &str) -> ! {
        eprintln!("{}", self.log.join("\n"));
        for node in &self.nodes {
            eprintln!("worker {} {:x}, connected {:?}", node.worker, node.incarnation, node.counts.connected);
            for (task, id, xor, workers) in node.engine.trees() {
                eprintln!("  task {task} waits for {id}: xor {xor:x}, workers {workers:x}");
            }
            for r in node.engine.task_reports() {
                let gate = node.engine.shared.gate(r.task).map_or(0, |g| g.tuples());
                eprintln!(
                    "  task {} emitted {} executed {} acked {} failed {} queued {} pending {} gate {gate}",
                    r.task, r.emitted, r.executed, r.acked, r.failed, r.queued, r.pending
                );
            }
        }
        panic!("SQUALL_SIMULATION_SEED={}: {what}", self.seed);
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|n| n.parse().ok())
}

#[test]
fn nothing_is_lost_whatever_the_network_and_the_workers_do() {
    if let Some(seed) = number("SQUALL_SIMULATION_SEED") {
        return Simulation::new(seed).run();
    }
    for seed in 0..number("SQUALL_SIMULATION_SEEDS").unwrap_or(SEEDS) {
        Simulation::new(seed).run();
    }
}
