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
mod processes;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use squall_core::control::TopologyState;
use squall_core::{Plan, Registry};
use squall_nimbus::simulated::Nimbus;
use squall_worker::simulated::Node;

use calls::{Answer, Question};
use components::{QUEUE, book, open_book, plan, registry};
use machine::Machine;
use net::{Net, SharedNet};
use oracle::Oracle;
use processes::Process;

use crate::Dice;

const MACHINES: usize = 3;
/// How long a machine may be silent; all other times are to it as they are by default.
const LEASE: Duration = Duration::from_millis(1000);
const FAULTS: u32 = 12;
/// From this seed on a few kinds of faults are mixed, in each cluster others.
pub const FIRST_MIXED: u64 = 1 << 32;
/// From this one on, moreover, tuples come as long as there are faults; else all are there at once.
pub const FIRST_PACED: u64 = 2 << 32;
/// Tuples of each task of the spout, at once or all together.
const TUPLES: u64 = 25;
const PACED: u64 = 100;
/// Steps from one that comes to the next.
const PACE: u64 = 20;
/// Long after the last fault everything must be done.
const PATIENCE: Duration = Duration::from_secs(120);
/// Steps from one look at all gates to the next.
const GATES_EVERY: u64 = 16;
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
    steps: u64,
    plans: BTreeMap<String, Arc<Plan>>,
    topology: String,
    /// When it is activated again.
    activate_at: Option<Duration>,
    /// The kinds of faults that there are; none for any.
    mix: Vec<usize>,
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
        let (tuples, come) = if seed < FIRST_PACED { (TUPLES, TUPLES) } else { (PACED, 0) };
        open_book(seed, tuples, come);
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
            steps: 0,
            plans: BTreeMap::new(),
            topology,
            activate_at: None,
            mix: faults::mix(seed),
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

    /// No worker believes that less waits for a task elsewhere than what it has sent, and is there.
    fn check_gates(&self) {
        let nodes = || self.machines.iter().flat_map(|m| &m.processes).filter_map(|p| Some((p, p.node.as_ref()?)));
        for (to, receiver) in nodes() {
            let from_here = |p: &Process, n: &Node<_>| p.key == to.key || n.linked_to(to.key.1) != Some(to.incarnation);
            for (from, sender) in nodes().filter(|(p, n)| !from_here(p, n)) {
                for task in &to.wanted.tasks {
                    let (waits, believed) =
                        (receiver.waiting_from(*task, (from.key.1, from.incarnation)), sender.waiting_for(*task));
                    if believed < waits {
                        let (sender, receiver) = (from.key.1, to.key.1);
                        self.fail(&format!(
                            "worker {sender} believes that {believed} tuples wait for task {task}; in worker {receiver} wait {waits} of its"
                        ));
                    }
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
        self.steps += 1;
        if self.steps.is_multiple_of(PACE) {
            book(|b| b.come(1));
        }
        if self.steps.is_multiple_of(GATES_EVERY) {
            self.check_gates();
        }
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
