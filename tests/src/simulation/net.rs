//! Lines between workers that lose, repeat, delay and reorder frames, break, and come back; and what time it is.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use squall_worker::simulated::{Line, Lines};

use crate::Dice;

/// Frames that a line holds.
const HIGH_WATER: usize = 8;
/// One frame in so many is lost, repeated, or overtaken.
const RARELY: usize = 200;
/// How long a frame takes at most.
const LATEST: Duration = Duration::from_millis(8);

/// What is on its way from one process to an endpoint.
#[derive(Default)]
pub(super) struct Pipe {
    /// Worker and incarnation.
    pub(super) from: (u32, u64),
    pub(super) to: String,
    pub(super) frames: VecDeque<(Duration, Vec<u8>)>,
    pub(super) news: VecDeque<bool>,
    /// Nothing more is sent; what was may still arrive, also from a process that was killed.
    pub(super) closed: bool,
}

pub(super) type SharedPipe = Rc<RefCell<Pipe>>;

/// All lines, with the dice and the clock of the simulation.
pub(super) struct Net {
    pub(super) dice: Dice,
    pub(super) now: Duration,
    pub(super) pipes: Vec<SharedPipe>,
    /// Faults are over: nothing is lost any more.
    pub(super) calm: bool,
}

pub(super) type SharedNet = Rc<RefCell<Net>>;

impl Net {
    pub(super) fn new(seed: u64) -> SharedNet {
        Rc::new(RefCell::new(Net { dice: Dice::new(seed), now: Duration::ZERO, pipes: Vec::new(), calm: false }))
    }

    /// Any time up to this.
    pub(super) fn up_to(&mut self, most: Duration) -> Duration {
        Duration::from_micros(self.dice.below(most.as_micros() as usize) as u64)
    }

    fn strikes(&mut self) -> bool {
        !self.calm && self.dice.below(RARELY) == 0
    }
}

/// The lines of a process.
pub(super) struct SimLines {
    pub(super) net: SharedNet,
    pub(super) from: (u32, u64),
}

pub(super) struct SimLine(SharedNet, SharedPipe);

impl Lines for SimLines {
    type Line = SimLine;

    fn connect(&mut self, endpoint: &str, _: u64) -> Result<SimLine, String> {
        let pipe = Pipe { from: self.from, to: endpoint.to_owned(), news: VecDeque::from([true]), ..Pipe::default() };
        let pipe = Rc::new(RefCell::new(pipe));
        self.net.borrow_mut().pipes.push(pipe.clone());
        Ok(SimLine(self.net.clone(), pipe))
    }
}

impl Line for SimLine {
    fn send(&mut self, frame: &[u8]) -> Result<bool, String> {
        let (mut net, mut pipe) = (self.0.borrow_mut(), self.1.borrow_mut());
        if pipe.frames.len() >= HIGH_WATER {
            return Ok(false);
        }
        if net.strikes() {
            return Ok(true);
        }
        let earliest = pipe.frames.back().map_or(net.now, |(at, _)| *at);
        let at = earliest.max(net.now + net.up_to(LATEST));
        pipe.frames.push_back((at, frame.to_vec()));
        if net.strikes() {
            pipe.frames.push_back((at, frame.to_vec()));
        }
        let n = pipe.frames.len();
        if n > 1 && net.strikes() {
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
        // What is with the system already may arrive all the same.
        if self.0.borrow_mut().dice.below(2) == 0 {
            self.1.borrow_mut().frames.clear();
        }
    }
}

impl Drop for SimLine {
    fn drop(&mut self) {
        self.1.borrow_mut().closed = true;
    }
}
