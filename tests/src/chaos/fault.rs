//! What can go wrong, each done to a running cluster and waited out.

use std::time::{Duration, Instant};

use squall_core::ComponentKind;
use squall_core::control::{History, Phase, TopologyState, TopologyStatus, WorkerSummary};

use super::disk::Filler;
use super::{Chaos, network};
use crate::{NIMBUS, alive, kill_9, pause, resume, wait_for, wait_until};

/// Longer than nimbus takes to write its statistics down again.
const STATISTICS_MS: u64 = 11_000;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// kill -9 of a worker.
    KillWorker,
    /// kill -9 of all workers at once.
    KillAllWorkers,
    /// kill -9 of a supervisor, which is started again and adopts its workers.
    KillSupervisor,
    /// kill -9 of a supervisor and one of its workers.
    KillSupervisorAndWorker,
    /// kill -9 of nimbus, which is started again.
    KillNimbus,
    /// kill -9 of nimbus and of a worker, which is back before nimbus is.
    KillNimbusAndWorker,
    /// kill -9 of a supervisor and all its workers; it is started again when they have moved.
    KillMachine,
    /// Nimbus hangs for longer than the lease.
    HangNimbus,
    /// A worker hangs, and is given up by its supervisor.
    HangWorker,
    /// A supervisor hangs for longer than the lease while its workers run on: they are moved, and the old ones fenced off.
    HangSupervisor,
    /// A supervisor and its workers hang for longer than the lease, are moved, and come back.
    HangMachine,
    /// A supervisor and its workers hang for a moment.
    BlinkMachine,
    /// More workers, or fewer.
    Rebalance,
    /// Another number of tasks of both bolts.
    Regroup,
    /// More workers, or fewer, and meanwhile kill -9 of a worker, a supervisor or nimbus.
    RebalanceUnderFire,
    /// Spouts pause until nothing is under way, and go on.
    Deactivate,
    /// kill -9 of one worker after the other, hardly up or not yet.
    KillStorm,
    /// All connections between workers are closed. Not in [`ALL`]: it needs a network namespace of one's own.
    CutLinks,
    /// Nothing reaches anybody for longer than the lease. Not in [`ALL`], either.
    CutNetwork,
    /// Two machines do not reach each other for longer than the lease, though nimbus reaches both.
    Partition,
    /// A machine does not reach nimbus for longer than the lease, though it reaches the others.
    CutFromNimbus,
    /// A machine reaches nobody for longer than the lease.
    CutMachine,
    /// The sink's disk is full for a while. Not in [`ALL`]: it needs a mount namespace of one's own, as those that follow.
    FullDisk,
    /// The disk of a supervisor is full, and one of its workers dies meanwhile.
    FullSupervisor,
    /// Nimbus's disk is full, and a worker dies meanwhile.
    FullNimbus,
}

/// What takes namespaces of one's own.
pub const APART: [Fault; 8] = [
    Fault::CutLinks,
    Fault::CutNetwork,
    Fault::Partition,
    Fault::CutFromNimbus,
    Fault::CutMachine,
    Fault::FullDisk,
    Fault::FullSupervisor,
    Fault::FullNimbus,
];

/// All kinds.
pub const ALL: [Fault; 17] = [
    Fault::KillWorker,
    Fault::KillAllWorkers,
    Fault::KillSupervisor,
    Fault::KillSupervisorAndWorker,
    Fault::KillNimbus,
    Fault::KillNimbusAndWorker,
    Fault::KillMachine,
    Fault::HangNimbus,
    Fault::HangWorker,
    Fault::HangSupervisor,
    Fault::HangMachine,
    Fault::BlinkMachine,
    Fault::Rebalance,
    Fault::Regroup,
    Fault::RebalanceUnderFire,
    Fault::Deactivate,
    Fault::KillStorm,
];

impl Chaos {
    /// Does it, and waits until the cluster is what it is to be.
    #[track_caller]
    pub(super) fn strike(&mut self, fault: Fault) -> String {
        let before = self.settled();
        match fault {
            Fault::KillWorker => {
                let victim = self.dice.pick(&before.workers).clone();
                kill(&victim);
                self.restarted(std::slice::from_ref(&victim));
                told(&victim)
            }
            Fault::KillAllWorkers => {
                before.workers.iter().for_each(kill);
                self.restarted(&before.workers);
                format!("{} of them", before.workers.len())
            }
            Fault::KillSupervisor => {
                let machine = self.machine(&before);
                self.cluster.supervisor(&machine).kill();
                self.cluster.start_supervisor(&machine);
                self.adopted(&before, &machine);
                machine
            }
            Fault::KillSupervisorAndWorker => {
                let victim = self.dice.pick(&before.workers).clone();
                self.cluster.supervisor(&victim.machine).kill();
                kill(&victim);
                self.cluster.start_supervisor(&victim.machine);
                self.restarted(std::slice::from_ref(&victim));
                told(&victim)
            }
            Fault::KillNimbus => {
                self.cluster.nimbus().kill();
                self.progress();
                self.cluster.start_nimbus();
                self.unmoved(&before);
                String::new()
            }
            Fault::KillNimbusAndWorker => {
                let victim = self.dice.pick(&before.workers).clone();
                self.cluster.nimbus().kill();
                kill(&victim);
                // Its supervisor starts it without nimbus; numbers that were on their way to it come again.
                self.progress();
                self.cluster.start_nimbus();
                self.restarted(std::slice::from_ref(&victim));
                told(&victim)
            }
            Fault::KillMachine => {
                let machine = self.machine(&before);
                self.cluster.supervisor(&machine).kill();
                on(&before, &machine).for_each(kill);
                self.moved(&before, &machine);
                self.cluster.start_supervisor(&machine);
                machine
            }
            Fault::HangNimbus => {
                let pid = self.cluster.nimbus().pid();
                pause(pid);
                time_passes(4_000);
                resume(pid);
                self.unmoved(&before);
                String::new()
            }
            Fault::CutLinks => {
                let cut = |w: &WorkerSummary| network::close_connections_to(w.endpoint.as_deref().unwrap_or_default());
                let cut: usize = (0..10).flat_map(|_| before.workers.iter().map(cut)).sum();
                assert!(cut > 0, "no connection was cut");
                self.unmoved(&before);
                format!("{cut} connections")
            }
            Fault::CutNetwork => {
                network::all(false);
                time_passes(4_000);
                network::all(true);
                self.unmoved(&before);
                String::new()
            }
            Fault::Partition => {
                let mut machines = self.cluster.machines();
                self.dice.shuffle(&mut machines);
                let (a, b) = (self.cluster.address(&machines[0]), self.cluster.address(&machines[1]));
                network::cut(a, b);
                self.nimbus_is_older_by(4_000);
                network::mend(a, b);
                self.unmoved(&before);
                format!("{} and {}", machines[0], machines[1])
            }
            Fault::CutFromNimbus | Fault::CutMachine => {
                let machine = self.machine(&before);
                let mut others = vec![NIMBUS];
                if fault == Fault::CutMachine {
                    let all = self.cluster.machines();
                    others.extend(all.iter().filter(|m| **m != machine).map(|m| self.cluster.address(m)));
                }
                let here = self.cluster.address(&machine);
                others.iter().for_each(|other| network::cut(here, *other));
                self.moved(&before, &machine);
                self.progress();
                assert!(on(&before, &machine).filter_map(|w| w.pid).all(alive), "workers end though nobody told them to");
                others.iter().for_each(|other| network::mend(here, *other));
                self.fenced(&before, &machine);
                machine
            }
            Fault::FullDisk => {
                let errors = |t: &TopologyStatus| t.components.iter().map(|c| c.errors).sum::<u64>();
                let full = Filler::fill(&self.cluster.dir().join("out"));
                wait_until("writing fails, or there is nothing left to write", || {
                    self.tally.read();
                    let is_over = self.tally.distinct() == self.limit;
                    is_over || self.cluster.topology(super::NAME).is_some_and(|t| errors(&t) > errors(&before))
                });
                drop(full);
                self.unmoved(&before);
                String::new()
            }
            Fault::FullSupervisor => {
                let victim = self.dice.pick(&before.workers).clone();
                let full = Filler::fill(&self.cluster.dir().join(&victim.machine));
                kill(&victim);
                // It may just fit in where the dead one's files were.
                let is_next = |w: &&WorkerSummary| w.worker == victim.worker && w.incarnation > victim.incarnation;
                let seen = self.cluster.wait(super::NAME, "its successor, or why there is none", |t| {
                    t.workers.iter().any(|w| is_next(&w) || w.worker == victim.worker && w.problem.is_some())
                });
                let problem = seen.workers.iter().find_map(|w| w.problem.clone());
                drop(full);
                self.restarted(std::slice::from_ref(&victim));
                format!("{}; {}", told(&victim), problem.unwrap_or_default())
            }
            Fault::FullNimbus => {
                let victim = self.dice.pick(&before.workers).clone();
                let full = Filler::fill(&self.cluster.dir().join("nimbus"));
                kill(&victim);
                // Its supervisor starts it all the same, and it makes itself known.
                self.progress();
                self.nimbus_is_older_by(STATISTICS_MS);
                drop(full);
                self.restarted(std::slice::from_ref(&victim));
                self.all_is_in_the_history();
                told(&victim)
            }
            Fault::HangWorker => {
                let victim = self.dice.pick(&before.workers).clone();
                victim.pid.into_iter().for_each(pause);
                // Its supervisor, which lives, kills it and starts another; nobody has to wake it up.
                self.restarted(std::slice::from_ref(&victim));
                assert!(!victim.pid.is_some_and(alive), "the one that hung is still there");
                told(&victim)
            }
            Fault::HangSupervisor => {
                let machine = self.machine(&before);
                let pid = self.cluster.supervisor(&machine).pid();
                pause(pid);
                self.moved(&before, &machine);
                self.progress();
                assert!(on(&before, &machine).filter_map(|w| w.pid).all(alive), "workers end though nobody told them to");
                resume(pid);
                self.fenced(&before, &machine);
                machine
            }
            Fault::HangMachine => {
                let machine = self.machine(&before);
                let mut pids: Vec<u32> = on(&before, &machine).filter_map(|w| w.pid).collect();
                pids.push(self.cluster.supervisor(&machine).pid());
                pids.iter().copied().for_each(pause);
                self.moved(&before, &machine);
                self.progress();
                // Workers first: they have every chance to do harm before they are told.
                pids.into_iter().for_each(resume);
                self.fenced(&before, &machine);
                machine
            }
            Fault::BlinkMachine => {
                let machine = self.machine(&before);
                let mut pids: Vec<u32> = on(&before, &machine).filter_map(|w| w.pid).collect();
                pids.push(self.cluster.supervisor(&machine).pid());
                pids.iter().copied().for_each(pause);
                self.nimbus_is_older_by(500);
                pids.into_iter().for_each(resume);
                machine
            }
            Fault::Rebalance => {
                let now = before.workers.len();
                let n = self.other_size(&before);
                self.rebalance(&["-n", &n.to_string()]);
                let after = self.settled();
                assert_eq!(after.workers.len(), n);
                format!("from {now} workers to {n}")
            }
            Fault::RebalanceUnderFire => {
                let n = self.other_size(&before).to_string();
                self.cluster.squall(&["rebalance", super::NAME, "-n", &n, "--no-wait"]).ok();
                let victim = self.dice.pick(&before.workers).clone();
                let what = match self.dice.below(3) {
                    0 => {
                        kill(&victim);
                        told(&victim)
                    }
                    1 => {
                        self.cluster.supervisor(&victim.machine).kill();
                        self.cluster.start_supervisor(&victim.machine);
                        format!("the supervisor of {}", victim.machine)
                    }
                    _ => {
                        self.cluster.nimbus().kill();
                        self.cluster.start_nimbus();
                        "nimbus".to_owned()
                    }
                };
                let after = self.settled();
                format!("from {} workers to {n}, {} in the end; killed {what}", before.workers.len(), after.workers.len())
            }
            Fault::KillStorm => {
                for _ in 0..8 {
                    let now = self.cluster.wait(super::NAME, "a living worker", |t| t.workers.iter().any(lives));
                    let living: Vec<&WorkerSummary> = now.workers.iter().filter(|w| lives(w)).collect();
                    kill(self.dice.pick::<&WorkerSummary>(&living));
                }
                self.settled();
                String::new()
            }
            Fault::Regroup => {
                let (window, write) = (2 + self.dice.below(5), 1 + self.dice.below(4));
                self.rebalance(&["-e", &format!("window={window}"), "-e", &format!("write={write}")]);
                format!("window={window} write={write}")
            }
            Fault::Deactivate => {
                self.cluster.squall(&["deactivate", super::NAME]).ok();
                self.cluster.wait(super::NAME, "nothing under way", |t| {
                    t.state == TopologyState::Inactive && t.components.iter().all(|c| c.pending + c.queued == 0)
                });
                self.cluster.squall(&["activate", super::NAME]).ok();
                String::new()
            }
        }
    }

    /// One that has workers.
    fn machine(&mut self, before: &TopologyStatus) -> String {
        self.dice.pick(&before.workers).machine.clone()
    }

    /// Another number of workers.
    fn other_size(&mut self, before: &TopologyStatus) -> usize {
        let choices: Vec<usize> = (2..=5).filter(|n| *n != before.workers.len()).collect();
        *self.dice.pick(&choices)
    }

    fn rebalance(&self, change: &[&str]) {
        let args: Vec<&str> = ["rebalance", super::NAME].iter().chain(change).copied().collect();
        let done = self.cluster.squall(&args).ok();
        assert!(done.stdout.contains("ACTIVE"), "{}", done.stdout);
    }

    /// These workers have successors.
    #[track_caller]
    fn restarted(&self, dead: &[WorkerSummary]) {
        self.cluster.wait(super::NAME, "the dead have successors", |t| {
            dead.iter().all(|d| t.workers.iter().any(|w| w.worker == d.worker && w.incarnation > d.incarnation))
        });
    }

    /// The workers are the same processes as before.
    #[track_caller]
    fn unmoved(&mut self, before: &TopologyStatus) {
        let after = self.settled();
        assert_eq!(pids(&after), pids(before), "workers are others though none had died");
    }

    /// A machine's workers are the same processes as before, unless nimbus gave them to others meanwhile.
    #[track_caller]
    fn adopted(&mut self, before: &TopologyStatus, machine: &str) {
        let after = self.settled();
        if after.epoch == before.epoch {
            let of = |t: &TopologyStatus| on(t, machine).filter_map(|w| w.pid).collect::<Vec<_>>();
            assert_eq!(of(&after), of(before), "they were not adopted");
        } else {
            eprintln!("    (the lease of {machine} ended before it was back)");
        }
    }

    /// Nimbus has moved a machine's workers to others, where they run.
    #[track_caller]
    pub(super) fn moved(&self, before: &TopologyStatus, machine: &str) {
        let epoch = before.epoch + u64::from(on(before, machine).next().is_some());
        self.cluster.wait(super::NAME, "the silent machine's workers run elsewhere", |t| {
            t.epoch >= epoch && t.workers.iter().all(|w| w.machine != machine && running(w))
        });
    }

    /// A machine is back, and its workers that were moved away have ended.
    #[track_caller]
    pub(super) fn fenced(&self, before: &TopologyStatus, machine: &str) {
        let old: Vec<u32> = on(before, machine).filter_map(|w| w.pid).collect();
        wait_until("the old copies end", || !old.iter().copied().any(alive));
    }

    /// Points that could not be written for a while were kept: they still add up to the totals.
    #[track_caller]
    fn all_is_in_the_history(&self) {
        let acked = |t: &TopologyStatus| t.components.iter().find(|c| c.kind == ComponentKind::Spout).map_or(0, |c| c.acked);
        let total =
            wait_for("numbers were acked", || self.cluster.topology(super::NAME).as_ref().map(acked).filter(|n| *n > 0));
        // Longer than any run: what a shorter time begins with would not be in it.
        let path = format!("/v1/topologies/{}/history?seconds=10800", super::NAME);
        wait_until("the history adds up to the totals", || {
            self.cluster.try_get::<History>(&path).is_some_and(|h| h.points.iter().map(|p| p.acked).sum::<u64>() >= total)
        });
    }

    /// So many milliseconds have passed, by nimbus's clock.
    #[track_caller]
    fn nimbus_is_older_by(&self, ms: u64) {
        let since = self.cluster.status().uptime_ms;
        wait_until("time passes", || self.cluster.status().uptime_ms >= since + ms);
    }
}

fn lives(worker: &WorkerSummary) -> bool {
    worker.pid.is_some_and(alive)
}

/// It is up, and connected to all others.
pub(super) fn running(worker: &WorkerSummary) -> bool {
    lives(worker) && matches!(worker.phase, Some(Phase::Running | Phase::Finished))
}

pub(super) fn on<'a>(status: &'a TopologyStatus, machine: &str) -> impl Iterator<Item = &'a WorkerSummary> {
    status.workers.iter().filter(move |w| w.machine == machine)
}

fn pids(status: &TopologyStatus) -> Vec<Option<u32>> {
    status.workers.iter().map(|w| w.pid).collect()
}

pub(super) fn kill(worker: &WorkerSummary) {
    worker.pid.into_iter().for_each(kill_9);
}

fn told(worker: &WorkerSummary) -> String {
    format!("worker {} on {}", worker.worker, worker.machine)
}

/// So many milliseconds, where nobody can be asked.
fn time_passes(ms: u64) {
    let since = Instant::now();
    wait_until("time passes", || since.elapsed() > Duration::from_millis(ms));
}
