//! What supervisors and nimbus say to each other. Calls and answers are late, or lost: then the caller gives up after a while and calls
//! again, and the call may still be heard, after the one that followed it.

use std::time::Duration;

use squall_core::control::{Desired, Heartbeat};

use super::{LEASE, Simulation, ms};

const BEAT: Duration = ms(170);
/// A call or an answer takes up to this long, but for a few.
const TRAVEL: Duration = ms(40);
const SLOW: Duration = ms(2500);
/// One in so many is slow, or lost.
const RARELY: usize = 80;
/// How long a caller waits for an answer.
const PATIENCE: Duration = ms(1700);

/// A heartbeat on its way to nimbus.
pub(super) struct Question {
    at: Duration,
    from: usize,
    life: u32,
    call: u64,
    heartbeat: Heartbeat,
}

/// An answer on its way to a supervisor.
pub(super) struct Answer {
    at: Duration,
    to: usize,
    life: u32,
    call: u64,
    what: Said,
}

enum Said {
    /// A heartbeat was heard; everything is to be sent again or not.
    Heard(bool),
    Wanted(Option<Desired>),
    /// Nobody answers, or a heartbeat must come first.
    Refused,
}

impl Simulation {
    fn travel(&self) -> Option<Duration> {
        if self.is_calm() {
            return Some(self.up_to(TRAVEL));
        }
        match self.dice(|d| d.below(2 * RARELY)) {
            0 => None,
            1 => Some(self.up_to(SLOW)),
            _ => Some(self.up_to(TRAVEL)),
        }
    }

    /// A supervisor calls nimbus when it is time to.
    pub(super) fn call(&mut self, m: usize) {
        let now = self.now();
        let machine = &mut self.machines[m];
        machine.beat.under_way.take_if(|(_, until, _)| *until <= now);
        machine.ask.under_way.take_if(|(_, until)| *until <= now);
        if machine.beat.under_way.is_none() && machine.beat.next <= now {
            self.beat(m);
        }
        if self.machines[m].ask.under_way.is_none() && self.machines[m].ask.next <= now {
            self.ask(m);
        }
    }

    fn beat(&mut self, m: usize) {
        let now = self.now();
        self.calls += 1;
        let Some(heartbeat) = self.machines[m].heartbeat(self.calls) else { return };
        let (call, travel) = (self.calls, self.travel());
        let machine = &mut self.machines[m];
        machine.beat.next = now + BEAT;
        machine.beat.under_way = Some((call, now + PATIENCE, heartbeat.workers.clone()));
        if let Some(travel) = travel.filter(|_| machine.cut_until.is_none()) {
            self.questions.push(Question { at: now + travel, from: m, life: machine.life, call, heartbeat });
        }
    }

    /// It waits for something other than it has; what nimbus says then takes a while.
    fn ask(&mut self, m: usize) {
        let now = self.now();
        let travel = self.travel();
        let machine = &mut self.machines[m];
        if machine.cut_until.is_some() {
            machine.ask.next = now + ms(100);
            return;
        }
        let what = match self.nimbus_away {
            Some(away) if away.killed => Said::Refused,
            Some(_) => return,
            None => match self.nimbus.desired(&machine.name, machine.ask.after) {
                Ok(None) => return,
                Ok(desired) => Said::Wanted(desired),
                Err(_) => Said::Refused,
            },
        };
        self.calls += 1;
        machine.ask.under_way = Some((self.calls, now + PATIENCE));
        if let Some(travel) = travel {
            self.answers.push(Answer { at: now + travel, to: m, life: machine.life, call: self.calls, what });
        }
    }

    /// What has arrived is heard.
    pub(super) fn carry_calls(&mut self) {
        let now = self.now();
        // A nimbus that stands still finds them when it goes on, in any order.
        if self.nimbus_away.is_none_or(|a| a.killed) {
            while let Some(at) = self.arrived(now) {
                let question = self.questions.swap_remove(at);
                self.answer(question);
            }
        }
        let hears = |s: &Simulation, a: &Answer| {
            let m = &s.machines[a.to];
            m.life != a.life || m.supervisor.is_none() || m.is_supervised()
        };
        while let Some(at) = (0..self.answers.len()).find(|n| self.answers[*n].at <= now && hears(self, &self.answers[*n])) {
            let answer = self.answers.swap_remove(at);
            self.hear(answer);
        }
    }

    /// One of the questions that have arrived, whichever.
    fn arrived(&self, now: Duration) -> Option<usize> {
        let due: Vec<usize> = (0..self.questions.len()).filter(|n| self.questions[*n].at <= now).collect();
        (!due.is_empty()).then(|| self.dice(|d| *d.pick(&due)))
    }

    /// Nimbus hears a heartbeat.
    fn answer(&mut self, question: Question) {
        let now = self.now();
        let Question { from, life, call, heartbeat, .. } = question;
        let what = if self.nimbus_away.is_some() {
            Said::Refused
        } else {
            let name = self.machines[from].name.clone();
            let again = self.nimbus.heartbeat(&name, heartbeat);
            self.oracle.heard(&name, call, now);
            self.check_assignment();
            Said::Heard(again)
        };
        if let Some(travel) = self.travel().filter(|_| self.machines[from].cut_until.is_none()) {
            self.answers.push(Answer { at: now + travel, to: from, life, call, what });
        }
    }

    /// A supervisor hears an answer, if it still waits for it.
    fn hear(&mut self, answer: Answer) {
        let now = self.now();
        let Answer { to, life, call, what, .. } = answer;
        let machine = &mut self.machines[to];
        let Some(supervisor) = machine.supervisor.as_mut().filter(|_| machine.life == life && machine.cut_until.is_none())
        else {
            return;
        };
        if machine.ask.under_way.is_some_and(|(c, _)| c == call) {
            machine.ask.under_way = None;
            match what {
                Said::Wanted(Some(desired)) => {
                    machine.ask.after = Some(desired.revision);
                    supervisor.want(desired);
                    machine.kept.keys().iter().for_each(|key| machine.keep(key));
                }
                Said::Wanted(None) | Said::Heard(_) => {}
                Said::Refused => (machine.ask.after, machine.ask.next) = (None, now + LEASE / 15),
            }
        } else if let Some((_, _, told)) = machine.beat.under_way.take_if(|(c, ..)| *c == call)
            && let Said::Heard(again) = what
        {
            let again = again && told.iter().any(|w| w.reports > 0);
            supervisor.sent(&told, again);
            if again {
                machine.beat.next = now;
            }
        }
    }
}
