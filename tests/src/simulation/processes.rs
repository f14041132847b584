//! Processes of workers: how supervisors start and end them, what they do, and what reaches them.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use squall_core::control::{Hello, Orders, Phase, RunState, WantedWorker};
use squall_supervisor::simulated::{Key, Task};
use squall_worker::simulated::{Node, Start};

use super::machine::Machine;
use super::net::{SharedPipe, SimLines};
use super::{Simulation, ms, oracle};

/// A process of a worker.
pub(super) struct Process {
    pub(super) key: Key,
    pub(super) pid: u32,
    pub(super) incarnation: u64,
    pub(super) endpoint: Rc<str>,
    pub(super) wanted: Arc<WantedWorker>,
    pub(super) lines: Option<SimLines>,
    /// From its first orders on.
    pub(super) node: Option<Node<SimLines>>,
    pub(super) orders: Option<Orders>,
    /// Orders on their way to it.
    pub(super) told: Option<(Duration, Orders)>,
    pub(super) hello_at: Duration,
    /// The life of the supervisor that it said hello to.
    pub(super) greeted: Option<u32>,
    pub(super) next_ask: Duration,
    pub(super) next_report: Duration,
    pub(super) phase: Option<Phase>,
    /// It hangs until its supervisor kills it.
    pub(super) hangs: bool,
}

impl Simulation {
    /// A supervisor starts, watches and stops processes.
    pub(super) fn supervise(&mut self, m: usize) {
        let now = self.now();
        for (key, task) in self.machines[m].supervisor.as_ref().map(|s| s.tasks()).unwrap_or_default() {
            let runs = |machine: &Machine, pid| machine.processes.iter().position(|p| p.pid == pid);
            match task {
                Task::Start => {
                    if self.is_due(m, &key, ms(300)) {
                        self.start(m, &key);
                    }
                }
                Task::Watch(pid) | Task::Stop(pid) => match runs(&self.machines[m], pid) {
                    None => self.ended(m, &key),
                    Some(at) => {
                        let ends = matches!(task, Task::Stop(_)) || self.machines[m].processes[at].hangs;
                        if !ends {
                            self.machines[m].due.remove(&key);
                        } else if self.is_due(m, &key, ms(600)) {
                            self.note(format!("worker {} on m{m} is killed by its supervisor", key.1));
                            self.vanish(m, at);
                            self.ended(m, &key);
                        }
                    }
                },
                Task::LetGo => {
                    let machine = &mut self.machines[m];
                    machine.supervisor.iter_mut().for_each(|s| s.let_go(&key));
                    machine.beat.next = now;
                }
            }
        }
    }

    /// Whether what was decided on is to be done now; that takes up to so long.
    fn is_due(&mut self, m: usize, key: &Key, most: Duration) -> bool {
        let at = self.now() + self.up_to(most);
        let now = self.now();
        let due = &mut self.machines[m].due;
        let is_due = *due.entry(key.clone()).or_insert(at) <= now;
        if is_due {
            due.remove(key);
        }
        is_due
    }

    fn start(&mut self, m: usize, key: &Key) {
        let (now, later) = (self.now(), self.up_to(ms(100)));
        self.pids += 1;
        let machine = &mut self.machines[m];
        let starts = machine.starts.entry(key.clone()).or_default();
        *starts += 1;
        let Some((incarnation, wanted)) = machine.supervisor.as_mut().and_then(|s| s.start(key, self.pids, *starts)) else {
            return;
        };
        machine.kept.write(key, None);
        machine.keep(key);
        let nimbus = &self.nimbus;
        self.plans.entry(wanted.plan.clone()).or_insert_with_key(|hash| Arc::new(nimbus.plan(hash)));
        let lines = SimLines { net: self.net.clone(), from: (key.1, incarnation) };
        machine.processes.push(Process {
            key: key.clone(),
            pid: self.pids,
            incarnation,
            endpoint: Rc::from(format!("tcp://{}.{}", key.1, self.pids)),
            wanted: Arc::new(wanted),
            lines: Some(lines),
            node: None,
            orders: None,
            told: None,
            hello_at: now + later,
            greeted: None,
            next_ask: now,
            next_report: now,
            phase: None,
            hangs: false,
        });
        self.note(format!("worker {} starts on m{m} as {incarnation:x}", key.1));
    }

    fn ended(&mut self, m: usize, key: &Key) {
        let machine = &mut self.machines[m];
        machine.supervisor.iter_mut().for_each(|s| s.ended(key));
        machine.kept.write(key, None);
        machine.due.remove(key);
        machine.beat.next = self.net.borrow().now;
    }

    /// A process is no more.
    pub(super) fn vanish(&mut self, m: usize, at: usize) {
        let process = self.machines[m].processes.remove(at);
        for pipe in &self.net.borrow().pipes {
            let mut pipe = pipe.borrow_mut();
            if *pipe.to == *process.endpoint {
                pipe.frames.clear();
            }
        }
    }

    /// Gives some tasks turns, and one process time for all else that it does.
    pub(super) fn work(&mut self) -> bool {
        let awake = |m: &Machine| m.stopped_until.is_none();
        let places = |(m, machine): (usize, &Machine)| {
            let of = |at| (m, at);
            let up = machine.processes.iter().enumerate().filter(|(_, p)| !p.hangs).map(|(at, _)| at);
            up.map(of).collect::<Vec<_>>()
        };
        let all: Vec<(usize, usize)> = self.machines.iter().enumerate().filter(|(_, m)| awake(m)).flat_map(places).collect();
        if all.is_empty() {
            return false;
        }
        let mut busy = false;
        for _ in 0..self.dice(|d| d.below(4)) {
            let (m, at) = self.dice(|d| *d.pick(&all));
            let net = self.net.clone();
            if let Some(node) = &mut self.machines[m].processes[at].node {
                busy |= node.turn(|n| net.borrow_mut().dice.below(n));
            }
        }
        let (m, at) = self.dice(|d| *d.pick(&all));
        if !self.live(m, at) {
            self.vanish(m, at);
        }
        busy
    }

    /// What a process does beside its tasks; false if it ends.
    fn live(&mut self, m: usize, at: usize) -> bool {
        let (now, instant) = (self.now(), self.instant());
        let (travel, pause, rest) = (self.up_to(ms(60)), self.up_to(ms(60)), self.up_to(ms(300)));
        let chance = self.dice(|d| d.below(usize::MAX)) as u64;
        let Machine { supervisor, processes, beat, kept, life, supervisor_stopped_until, .. } = &mut self.machines[m];
        let p = &mut processes[at];
        if let Some((_, orders)) = p.told.take_if(|(at, _)| *at <= now) {
            if let Some(old) = oracle::names_given_up(&orders) {
                let text = format!("worker {} is told of {}, which was given up", p.key.1, old);
                self.fail(&text);
            }
            p.orders = Some(orders.clone());
            if p.node.is_none() {
                let tasks = orders.workers.iter().find(|w| w.index == p.key.1).map(|w| w.tasks.clone());
                let start = Start {
                    topology: p.key.0.clone(),
                    hash: p.wanted.plan.clone(),
                    worker: p.key.1,
                    incarnation: p.incarnation,
                    endpoint: p.endpoint.to_string(),
                    seed: chance,
                    // For engines time stands still.
                    began: Instant::now() + Duration::from_secs(86_400),
                };
                let (tasks, lines) = (tasks.expect("orders name their worker"), p.lines.take().expect("it is built once"));
                let node = Node::new(&self.registry, &self.plans[&p.wanted.plan], &tasks, start, lines, instant);
                p.node = Some(node.expect("the components can be built"));
            }
            p.node.iter_mut().for_each(|n| n.follow(orders.clone(), instant));
        }
        p.node.iter_mut().for_each(|n| n.tend(instant));
        let phase = p.node.as_mut().map(Node::phase);
        if p.orders.as_ref().is_some_and(|o| o.state == RunState::Stopping) && phase == Some(Phase::Drained) {
            return false;
        }
        let Some(supervisor) = supervisor.as_mut().filter(|_| supervisor_stopped_until.is_none()) else { return true };
        if p.greeted != Some(*life) && p.hello_at <= now {
            let hello = Hello { incarnation: p.incarnation, pid: p.pid, endpoint: p.endpoint.to_string() };
            if !supervisor.hello(&p.key, hello) {
                return false;
            }
            kept.write(&p.key, supervisor.kept(&p.key));
            (p.greeted, beat.next) = (Some(*life), now);
        }
        if p.greeted != Some(*life) {
            return true;
        }
        if p.next_ask <= now && p.told.is_none() {
            p.next_ask = now + pause;
            let known = p.orders.as_ref().map_or(0, |o| o.revision);
            match supervisor.orders(&p.key, p.incarnation, known) {
                Ok(orders) => p.told = orders.map(|o| (now + travel, o)),
                Err(_) => return false,
            }
        }
        if let Some(node) = p.node.as_mut().filter(|_| p.next_report <= now || p.phase != phase) {
            (p.next_report, p.phase) = (now + rest, phase);
            match supervisor.report(&p.key, node.report(instant)) {
                Some(true) => beat.next = now,
                Some(false) => {}
                None => return false,
            }
        }
        true
    }

    pub(super) fn deliver_some(&mut self) -> bool {
        let pipes = self.net.borrow().pipes.clone();
        let mut busy = false;
        for _ in 0..self.dice(|d| d.below(6)) {
            if !pipes.is_empty() {
                let pipe = self.dice(|d| d.pick(&pipes).clone());
                busy |= self.deliver(&pipe);
            }
        }
        busy
    }

    fn deliver(&mut self, pipe: &SharedPipe) -> bool {
        let (now, instant) = (self.now(), self.instant());
        let to = pipe.borrow().to.clone();
        let is_it = |p: &&mut Process| *p.endpoint == *to;
        let found = self.machines.iter_mut().find_map(|m| {
            let stopped = m.stopped_until.is_some();
            m.processes.iter_mut().find(is_it).map(|p| (stopped, p))
        });
        if found.as_ref().is_some_and(|(stopped, p)| *stopped || p.hangs || p.node.as_ref().is_none_or(|n| !n.has_orders())) {
            return false;
        }
        let is_due = pipe.borrow().frames.front().is_some_and(|(at, _)| *at <= now);
        let Some((_, frame)) = is_due.then(|| pipe.borrow_mut().frames.pop_front()).flatten() else { return false };
        if let Some((_, process)) = found
            && let Some(node) = &mut process.node
        {
            let (from, ignored) = (pipe.borrow().from, node.ignored());
            node.take(&frame, instant);
            if oracle::is_given_up(from, process.orders.as_ref()) && node.ignored() == ignored {
                let text =
                    format!("worker {} takes in what {} says as {:x}, which was given up", process.key.1, from.0, from.1);
                self.fail(&text);
            }
        }
        true
    }
}
