//! A whole cluster in one thread, from a seed, under a clock that only moves when the simulation says so: nimbus's states, leases and
//! scheduler, supervisors' rosters, and workers' engines, ledgers and links are the real ones; sockets, processes, disks and threads are
//! pretended. Machines die, fall silent, are cut off and come back, processes die and hang, nimbus too, heartbeats and answers are late
//! or lost, lines lose, repeat and reorder frames, and topologies are rebalanced, paused and killed meanwhile.
//!
//! No time-out of trees ever comes. So what is lost and not noticed at once stands still for ever, and fails.

mod calls;
mod components;
mod faults;
mod machine;
mod net;
mod oracle;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use squall_core::control::{Hello, Phase, RunState, TopologyState};
use squall_core::{Plan, Registry};
use squall_nimbus::simulated::Nimbus;
use squall_supervisor::simulated::{Key, Task};
use squall_worker::simulated::{Node, Start};

use calls::{Answer, Question};
use components::{QUEUE, book, open_book, plan, registry};
use machine::{Machine, Process};
use net::{Net, SharedNet, SharedPipe, SimLines};
use oracle::Oracle;

use crate::chaos::Dice;

const MACHINES: usize = 3;
/// How long a machine may be silent; all other times are to it as they are by default.
const LEASE: Duration = Duration::from_millis(1000);
const FAULTS: u32 = 12;
/// Long after the last fault everything must be done.
const PATIENCE: Duration = Duration::from_secs(120);
/// Then the last credits are on their way.
const AFTERWARDS: Duration = Duration::from_secs(3);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A cluster.
pub struct Simulation {
    seed: u64,
    net: SharedNet,
    registry: Registry,
    nimbus: Nimbus,
    nimbus_away: Option<Away>,
    /// When nimbus does what is due.
    nimbus_due: Duration,
    machines: Vec<Machine>,
    questions: Vec<Question>,
    answers: Vec<Answer>,
    calls: u64,
    plans: BTreeMap<String, Arc<Plan>>,
    topology: String,
    /// When it is activated again.
    activate_at: Option<Duration>,
    pids: u32,
    oracle: Oracle,
    /// For workers, which want one: the beginning of time.
    began: Instant,
    log: Vec<String>,
    _folder: tempfile::TempDir,
}

/// Nimbus does nothing until then.
#[derive(Clone, Copy)]
struct Away {
    until: Duration,
    since: Duration,
    /// Else it only stands still.
    killed: bool,
}

impl Simulation {
    /// The cluster of a seed.
    pub fn new(seed: u64) -> Self {
        open_book(seed);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let net = Net::new(seed);
        let mut nimbus = Nimbus::new(folder.path(), LEASE);
        let workers = 2 + net.borrow_mut().dice.below(3) as u32;
        let topology = nimbus.submit(plan(workers)).expect("a fine plan");
        Simulation {
            seed,
            net,
            registry: registry(),
            nimbus,
            nimbus_away: None,
            nimbus_due: Duration::ZERO,
            machines: (0..MACHINES).map(|n| Machine::new(format!("m{n}"))).collect(),
            questions: Vec::new(),
            answers: Vec::new(),
            calls: 0,
            plans: BTreeMap::new(),
            topology,
            activate_at: None,
            pids: 0,
            oracle: Oracle::default(),
            began: Instant::now(),
            log: Vec::new(),
            _folder: folder,
        }
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// Something was lost, ran twice at once, moved without need, or was let in though it was given up.
    pub fn run(mut self) {
        let mut faults = 0;
        while faults < FAULTS {
            self.step();
            if self.dice(|d| d.below(150) == 0) {
                self.fault();
                faults += 1;
            }
        }
        self.calm_down();
        self.run_until("not everything was processed", |_| book(|b| b.is_full()));
        self.run_until("nimbus never learns that the spouts are done", |s| s.is_finished());
        let until = self.now() + AFTERWARDS;
        while self.now() < until {
            self.step();
        }
        self.nothing_waits();
        self.nimbus.kill(&self.topology, Duration::ZERO).unwrap_or_else(|e| self.fail(&e));
        self.run_until("something runs on after the kill", |s| {
            s.nimbus.state(&s.topology).is_none() && s.machines.iter().all(|m| m.processes.is_empty())
        });
    }

    fn run_until(&mut self, otherwise: &str, is_so: impl Fn(&mut Self) -> bool) {
        let until = self.now() + PATIENCE;
        while !is_so(self) {
            self.step();
            if self.now() > until {
                self.fail(otherwise);
            }
        }
    }

    fn is_finished(&self) -> bool {
        self.nimbus.state(&self.topology).is_some_and(|(state, finished, _)| finished && state == TopologyState::Active)
    }

    /// What is taken in is credited in quarters.
    fn nothing_waits(&self) {
        for p in self.machines.iter().flat_map(|m| &m.processes) {
            let Some(node) = &p.node else { continue };
            for task in 1..=self.plans[&p.wanted.plan].task_count() {
                let waiting = node.waiting_for(task);
                if waiting >= QUEUE / 4 {
                    self.fail(&format!("worker {} believes that {waiting} tuples wait for task {task}", p.key.1));
                }
            }
        }
    }

    fn dice<T>(&self, roll: impl FnOnce(&mut Dice) -> T) -> T {
        roll(&mut self.net.borrow_mut().dice)
    }

    fn up_to(&self, most: Duration) -> Duration {
        self.net.borrow_mut().up_to(most)
    }

    fn is_calm(&self) -> bool {
        self.net.borrow().calm
    }

    fn now(&self) -> Duration {
        self.net.borrow().now
    }

    fn instant(&self) -> Instant {
        self.began + self.now()
    }

    fn note(&mut self, text: String) {
        self.log.push(format!("{:6} ms  {text}", self.now().as_millis()));
    }

    fn step(&mut self) {
        let now = self.now();
        self.nimbus.set_time(now);
        self.keep_nimbus(now);
        for m in 0..self.machines.len() {
            self.machines[m].wake(now);
            if self.machines[m].back_at.is_some_and(|at| at <= now) {
                self.note(format!("the supervisor of m{m} is started"));
                self.machines[m].start_supervisor(now);
            }
        }
        self.carry_calls();
        let m = self.dice(|d| d.below(MACHINES));
        if self.machines[m].is_supervised() {
            self.supervise(m);
            self.call(m);
        }
        let busy = self.work() | self.deliver_some();
        self.net.borrow_mut().pipes.retain(|p| !p.borrow().closed || !p.borrow().frames.is_empty());
        self.check_running();
        if let Some(fault) = book(|b| b.faults.pop()) {
            self.fail(&fault);
        }
        let pass = self.up_to(ms(if busy { 1 } else { 20 }));
        self.net.borrow_mut().now += pass;
    }

    /// Has nimbus come back, and do what is due.
    fn keep_nimbus(&mut self, now: Duration) {
        if let Some(away) = self.nimbus_away.filter(|a| a.until <= now) {
            self.nimbus_away = None;
            self.note("nimbus is back".to_owned());
            if away.killed {
                self.nimbus.restart();
                self.oracle.heard_all(now);
            } else if now - away.since >= LEASE / 3 {
                self.nimbus.held_up();
                self.oracle.held_up(away.since, now);
            }
        }
        if self.nimbus_away.is_none() && self.nimbus_due <= now {
            self.nimbus_due = now + self.up_to(ms(60));
            self.nimbus.due();
            if self.activate_at.is_some_and(|at| at <= now) && self.nimbus.activate(&self.topology).is_ok() {
                self.activate_at = None;
            }
            self.check_assignment();
        }
    }

    /// A supervisor starts, watches and stops processes.
    fn supervise(&mut self, m: usize) {
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
        machine.kept.remove(key);
        machine.due.remove(key);
        machine.beat.next = self.net.borrow().now;
    }

    /// A process is no more.
    fn vanish(&mut self, m: usize, at: usize) {
        let process = self.machines[m].processes.remove(at);
        for pipe in &self.net.borrow().pipes {
            let mut pipe = pipe.borrow_mut();
            if *pipe.to == *process.endpoint {
                pipe.frames.clear();
            }
        }
    }

    /// Gives some tasks turns, and one process time for all else that it does.
    fn work(&mut self) -> bool {
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
            kept.extend(supervisor.kept(&p.key).map(|k| (p.key.clone(), k)));
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

    fn deliver_some(&mut self) -> bool {
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

    fn fail(&self, what: &str) -> ! {
        eprintln!("{}", self.log.join("\n"));
        eprintln!("nimbus: {:?} {:#?}", self.nimbus.state(&self.topology), self.nimbus.assignment(&self.topology));
        for m in &self.machines {
            eprintln!("{}: supervised {}, tasks {:?}", m.name, m.is_supervised(), m.supervisor.as_ref().map(|s| s.tasks()));
            for p in &m.processes {
                let node = p.node.as_ref().map(Node::describe).unwrap_or_default();
                eprintln!("worker {} {:x} {:?} {:?} {node}", p.key.1, p.incarnation, p.endpoint, p.phase);
                for w in p.orders.iter().flat_map(|o| &o.workers) {
                    eprintln!("  told of {} since {}: {:x} at {:?}", w.index, w.since, w.incarnation, w.endpoint);
                }
            }
        }
        panic!("SQUALL_SIMULATION_SEED={}: {what}", self.seed);
    }
}
