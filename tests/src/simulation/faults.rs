//! What goes wrong, and what is asked of nimbus meanwhile: anything now and then, or a few things again and again.

use std::collections::BTreeMap;
use std::time::Duration;

use squall_core::control::Rebalance;

use super::machine::SLOTS;
use super::{Away, FIRST_MIXED, LEASE, MACHINES, PACED, Simulation, book, ms};
use crate::Dice;

/// Kinds of faults.
const KINDS: usize = 18;

/// What goes wrong in a cluster of this seed: a few kinds of faults from 2^32 on, and below any of those that there were at first.
pub(super) fn mix(seed: u64) -> Vec<usize> {
    if seed < FIRST_MIXED {
        return Vec::new();
    }
    let mut kinds: Vec<usize> = (0..KINDS).collect();
    let mut dice = Dice::new(seed.rotate_left(32));
    dice.shuffle(&mut kinds);
    kinds.truncate(2 + dice.below(5));
    kinds
}

impl Simulation {
    /// Any fault.
    pub(super) fn fault(&mut self) {
        let (now, m) = (self.now(), self.dice(|d| d.below(MACHINES)));
        // Shorter than a lease, or longer.
        let long = self.up_to(3 * LEASE);
        let kind = if self.mix.is_empty() { self.dice(|d| d.below(17)) } else { self.dice(|d| *d.pick(&self.mix)) };
        match kind {
            3 => self.any_process(m, "hangs", |s, at| s.machines[m].processes[at].hangs = true),
            4 => {
                self.note(format!("the supervisor of m{m} is killed, for {long:?}"));
                (self.machines[m].supervisor, self.machines[m].back_at) = (None, Some(now + long));
            }
            17 => {
                self.note(format!("the supervisor of m{m} is killed as it writes something down, for {long:?}"));
                self.machines[m].kept.unwrite();
                (self.machines[m].supervisor, self.machines[m].back_at) = (None, Some(now + long));
            }
            5 => {
                self.note(format!("m{m} dies, for {long:?}"));
                (self.machines[m].supervisor, self.machines[m].back_at) = (None, Some(now + long));
                (0..self.machines[m].processes.len()).for_each(|_| self.vanish(m, 0));
            }
            6 | 7 => {
                self.note(format!("m{m} stands still, for {long:?}"));
                self.machines[m].stopped_until = Some(now + long);
            }
            8 | 9 => {
                self.note(format!("m{m} is cut off from nimbus, for {long:?}"));
                self.machines[m].cut_until = Some(now + long);
            }
            10 => {
                self.note(format!("the supervisor of m{m} stands still, for {long:?}"));
                self.machines[m].supervisor_stopped_until = Some(now + long);
            }
            11 | 12 if self.nimbus_away.is_none() => {
                let killed = self.dice(|d| d.below(2) == 0);
                self.note(format!("nimbus {}, for {long:?}", if killed { "is killed" } else { "stands still" }));
                self.nimbus_away = Some(Away { until: now + long, since: now, killed });
            }
            13 => self.cut_lines(),
            14 => self.rebalance(),
            15 if self.nimbus_away.is_none() && self.nimbus.deactivate(&self.topology).is_ok() => {
                self.note(format!("the topology pauses, for {long:?}"));
                self.activate_at = Some(now + long);
            }
            16 => self.start_anew(),
            _ => self.any_process(m, "dies", |s, at| s.vanish(m, at)),
        }
    }

    fn any_process(&mut self, m: usize, what: &str, act: impl FnOnce(&mut Self, usize)) {
        let n = self.machines[m].processes.len();
        if n > 0 {
            let at = self.dice(|d| d.below(n));
            let p = &self.machines[m].processes[at];
            self.note(format!("worker {} on m{m}, {:x}, {what}", p.key.1, p.incarnation));
            act(self, at);
        }
    }

    fn cut_lines(&mut self) {
        self.note("connections break".to_owned());
        let pipes = self.net.borrow().pipes.clone();
        for pipe in pipes.iter().filter(|_| self.dice(|d| d.below(2) == 0)) {
            let mut pipe = pipe.borrow_mut();
            let kept = self.dice(|d| d.below(pipe.frames.len() + 1));
            pipe.frames.truncate(kept);
            pipe.news.extend([false, true]);
        }
    }

    /// The topology grows or shrinks, or is only spread anew.
    fn rebalance(&mut self) {
        if self.nimbus_away.is_some() {
            return;
        }
        let workers = self.dice(|d| (d.below(3) > 0).then(|| 1 + d.below(SLOTS as usize * MACHINES) as u32));
        let tasks = self.dice(|d| (d.below(2) == 0).then(|| 1 + d.below(4) as u32));
        let parallelism: BTreeMap<String, u32> =
            tasks.into_iter().flat_map(|n| [("twice".to_owned(), n), ("keep".to_owned(), 5 - n)]).collect();
        let wait_ms = self.dice(|d| *d.pick(&[0, 300, 3000]));
        let done = self.nimbus.rebalance(&self.topology, Rebalance { wait_ms: Some(wait_ms), workers, parallelism });
        self.note(format!("rebalance to {workers:?} workers, {tasks:?} tasks, wait {wait_ms} ms: {done:?}"));
        self.oracle.may_change |= done.is_ok();
        self.check_assignment();
    }

    fn start_anew(&mut self) {
        if self.nimbus_away.is_some() {
            return;
        }
        self.check_assignment();
        let worker = self.dice(|d| d.below(SLOTS as usize * MACHINES)) as u32;
        let done = self.nimbus.restart_worker(&self.topology, worker);
        self.note(format!("worker {worker} is to start anew: {done:?}"));
        if done.is_ok() {
            self.oracle.started_anew(worker);
        }
        self.check_assignment();
    }

    /// Faults are over, and all that is away comes back.
    pub(super) fn calm_down(&mut self) {
        self.note("calm".to_owned());
        self.net.borrow_mut().calm = true;
        book(|b| b.come(PACED));
        let soon = |at: Duration, now: Duration| at.min(now + ms(500));
        let now = self.now();
        for m in &mut self.machines {
            let until = [&mut m.back_at, &mut m.stopped_until, &mut m.supervisor_stopped_until, &mut m.cut_until];
            until.into_iter().for_each(|until| *until = until.map(|at| soon(at, now)));
        }
        self.nimbus_away = self.nimbus_away.map(|a| Away { until: soon(a.until, now), ..a });
        self.activate_at = self.activate_at.map(|at| soon(at, now));
    }
}
