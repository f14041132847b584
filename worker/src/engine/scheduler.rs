//! Which task runs when, on few threads.
//!
//! Tasks that a task wakes in its turn run next on the same thread, while the batch is still in that core's cache; the
//! others queue. Another thread is woken only when it pays: when what waits takes, by the turns before, clearly longer than
//! to wake a thread and to bring the data to its core. What comes from outside wakes a thread at once.
//! Nothing spins; a thread without work sleeps until it is woken or the earliest timer is due.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crossbeam_deque::{Injector, Steal, Stealer, Worker as Deque};

use super::task::Task;
use crate::sync::lock;

/// What another thread can do meanwhile must take so long for it to be woken, in nanoseconds. To wake it takes some 5 µs.
const WORTH_WAKING: u64 = 10_000;
/// A busy thread pauses this often.
const PAUSE: Duration = Duration::from_micros(100);
/// How many tasks in a row may run ahead of those from outside, to which a task goes that wants another turn.
const NEXT_IN_A_ROW: u32 = 16;
/// A turn longer than this is blocking: if there is work to do, another thread does it.
const BLOCKING: Duration = Duration::from_millis(100);

thread_local! {
    /// On a thread that runs tasks: those woken in its turns, the last to run first. Others may steal the first.
    static WOKEN: RefCell<Option<Deque<Arc<Task>>>> = const { RefCell::new(None) };
}

/// What a timer does when it is due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Alarm {
    /// Ask the spout again.
    Wake,
    /// Tick the bolt.
    Tick,
}

pub(crate) struct Scheduler {
    outside: Injector<Arc<Task>>,
    /// How many tasks wait in all queues, and how long their turns will take by those before, in nanoseconds.
    waiting: AtomicUsize,
    waiting_ns: AtomicU64,
    seats: Mutex<Vec<Arc<Seat>>>,
    began: Instant,
    sleepers: AtomicUsize,
    /// Wake-ups given and not yet taken.
    calls: Mutex<usize>,
    woken: Condvar,
    timers: Mutex<BinaryHeap<Reverse<(Instant, u32, Alarm)>>>,
    stopping: AtomicBool,
}

/// A thread that runs tasks, as the others see it.
struct Seat {
    queue: Stealer<Arc<Task>>,
    /// When its turn began, in the scheduler's milliseconds; 0 between turns.
    turn_since: AtomicU64,
    /// A spare thread took its place.
    relieved: AtomicBool,
}

/// Lets one thread sleep until another wakes it.
#[derive(Default)]
pub(crate) struct Parker {
    called: Mutex<bool>,
    condvar: Condvar,
}

impl Parker {
    pub(crate) fn call(&self) {
        *lock(&self.called) = true;
        self.condvar.notify_one();
    }

    fn sleep(&self) {
        let mut called = lock(&self.called);
        while !*called {
            called = self.condvar.wait(called).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        *called = false;
    }
}

/// What the threads need of the engine.
pub(crate) trait Runner: Send + Sync + 'static {
    /// One turn of a task; true if it wants another.
    fn turn(&self, task: &Arc<Task>) -> bool;
    /// The thread is about to have nothing to do, or has been busy for a while.
    fn pause(&self);
    /// A timer is due.
    fn alarm(&self, task: u32, alarm: Alarm);
}

impl Scheduler {
    pub(crate) fn new() -> Self {
        Scheduler {
            outside: Injector::new(),
            waiting: AtomicUsize::new(0),
            waiting_ns: AtomicU64::new(0),
            seats: Mutex::default(),
            began: Instant::now(),
            sleepers: AtomicUsize::new(0),
            calls: Mutex::default(),
            woken: Condvar::new(),
            timers: Mutex::default(),
            stopping: AtomicBool::new(false),
        }
    }

    /// Queues a task that is to run.
    pub(crate) fn push(&self, task: &Arc<Task>) {
        if let Some(own) = &task.own_thread {
            return own.call();
        }
        let task = task.clone();
        self.count(&task);
        let left = WOKEN.with_borrow(|woken| match woken {
            Some(woken) => {
                woken.push(task);
                None
            }
            None => Some(task),
        });
        if let Some(task) = left {
            self.outside.push(task);
            self.call_one();
        }
    }

    /// A task is about to be queued.
    fn count(&self, task: &Task) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.waiting_ns.fetch_add(task.cost.expect(), Ordering::Relaxed);
    }

    /// A task was taken from a queue.
    fn uncount(&self, task: &Task) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.waiting_ns.fetch_sub(task.cost.expected(), Ordering::Relaxed);
    }

    /// Whether another thread has enough to do while this one gives `next` its turn: with one task waiting that is the
    /// shorter of the two, with more about half of what waits.
    fn is_worth_waking(&self, next: &Task) -> bool {
        if self.sleepers.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let ns = self.waiting_ns.load(Ordering::Relaxed);
        match self.waiting.load(Ordering::Relaxed) {
            0 => false,
            1 => ns.min(next.cost.expected()) > WORTH_WAKING,
            _ => ns / 2 > WORTH_WAKING,
        }
    }

    pub(crate) fn at(&self, when: Instant, task: u32, alarm: Alarm) {
        let earliest = {
            let mut timers = lock(&self.timers);
            let earliest = timers.peek().is_none_or(|Reverse((first, ..))| when < *first);
            timers.push(Reverse((when, task, alarm)));
            earliest
        };
        // Who sleeps now sleeps for too long. A thread that runs tasks looks at the timers before it sleeps.
        if earliest && WOKEN.with_borrow(Option::is_none) {
            *lock(&self.calls) += 1;
            self.woken.notify_all();
        }
    }

    pub(crate) fn stop(&self, own_threads: impl Iterator<Item = Arc<Task>>) {
        self.stopping.store(true, Ordering::SeqCst);
        self.woken.notify_all();
        own_threads.filter_map(|t| t.own_thread.as_ref().map(Parker::call)).count();
        let _calls = lock(&self.calls);
        self.woken.notify_all();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn call_one(&self) {
        // Between the push before and the look at the sleepers; the sleeper looks the other way round.
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            *lock(&self.calls) += 1;
            self.woken.notify_one();
        }
    }

    /// A thread that runs tasks, until the scheduler stops or a spare thread took its place.
    pub(crate) fn work(&self, runner: &dyn Runner) {
        let queue: Deque<Arc<Task>> = Deque::new_lifo();
        let seat = Arc::new(Seat { queue: queue.stealer(), turn_since: AtomicU64::new(0), relieved: AtomicBool::new(false) });
        lock(&self.seats).push(seat.clone());
        WOKEN.set(Some(queue));
        let mut in_a_row = 0;
        let mut turns = 0u32;
        let mut now = Instant::now();
        let mut paused = now;
        while !self.is_stopping() {
            turns = turns.wrapping_add(1);
            if turns.is_multiple_of(32) {
                self.ring(runner);
            }
            let Some(task) = self.find(&mut in_a_row) else {
                runner.pause();
                self.ring(runner);
                if self.has_work() {
                    continue;
                }
                // Its place is taken; there are as many threads as before without it.
                if seat.relieved.load(Ordering::SeqCst) {
                    break;
                }
                self.rest();
                now = Instant::now();
                paused = now;
                continue;
            };
            if self.is_worth_waking(&task) {
                self.call_one();
            }
            let begun = now;
            seat.turn_since.store(self.now_ms(begun), Ordering::Relaxed);
            let again = task.run(|task| runner.turn(task));
            seat.turn_since.store(0, Ordering::Relaxed);
            now = Instant::now();
            task.cost.note(now.saturating_duration_since(begun).as_nanos() as u64);
            if now.saturating_duration_since(paused) >= PAUSE {
                paused = now;
                runner.pause();
            }
            if again {
                self.count(&task);
                self.outside.push(task);
            }
        }
        // What is left is for the others.
        WOKEN.take().into_iter().for_each(|queue| std::iter::from_fn(|| queue.pop()).for_each(|t| self.outside.push(t)));
        lock(&self.seats).retain(|s| !Arc::ptr_eq(s, &seat));
        self.call_one();
    }

    /// One turn of one of the tasks that wait, for who has no threads: a simulation, or a fuzzer. False if none waits.
    pub(crate) fn turn_of_one(&self, pick: impl FnOnce(usize) -> usize, runner: &dyn Runner) -> bool {
        let mut waiting: Vec<Arc<Task>> = std::iter::from_fn(|| self.retry(|| self.outside.steal())).collect();
        if waiting.is_empty() {
            return false;
        }
        let task = waiting.swap_remove(pick(waiting.len()));
        waiting.into_iter().for_each(|t| self.outside.push(t));
        if task.run(|task| runner.turn(task)) {
            self.outside.push(task);
        }
        true
    }

    /// Whether a thread is stuck in a component's code while there is work for it: another is needed in its place.
    pub(crate) fn needs_spare(&self) -> bool {
        if self.is_stopping() || !self.has_work() {
            return false;
        }
        let now = self.now_ms(Instant::now());
        let seats = lock(&self.seats);
        let is_stuck = |s: &Seat| {
            let since = s.turn_since.load(Ordering::Relaxed);
            since != 0 && now.saturating_sub(since) > BLOCKING.as_millis() as u64
        };
        if self.sleepers.load(Ordering::SeqCst) > 0 {
            // By what turns took before it was not worth waking one; a turn that does not end is another matter.
            if seats.iter().any(|s| is_stuck(s)) {
                self.call_one();
            }
            return false;
        }
        // One that is stuck and not yet replaced. Marked, so that it leaves when it comes back and finds nothing to do.
        let mut stuck = seats.iter().filter(|s| is_stuck(s) && !s.relieved.load(Ordering::SeqCst));
        stuck.next().is_some_and(|s| !s.relieved.swap(true, Ordering::SeqCst))
    }

    /// Milliseconds since the scheduler began, from 1.
    fn now_ms(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_millis() as u64 + 1
    }

    fn has_work(&self) -> bool {
        !self.outside.is_empty() || lock(&self.seats).iter().any(|s| !s.queue.is_empty())
    }

    /// The thread of one task that may block.
    pub(crate) fn work_for(&self, task: &Arc<Task>, runner: &dyn Runner) {
        let Some(own) = &task.own_thread else { return };
        loop {
            own.sleep();
            while !self.is_stopping() {
                let again = task.run(|task| runner.turn(task));
                runner.pause();
                if !again {
                    break;
                }
            }
            if self.is_stopping() {
                return;
            }
        }
    }

    /// The task to run next: one woken here, unless too many of those ran in a row; from outside; from another thread.
    fn find(&self, in_a_row: &mut u32) -> Option<Arc<Task>> {
        let here = || WOKEN.with_borrow(|queue| queue.as_ref().and_then(Deque::pop));
        let outside = || self.retry(|| self.outside.steal());
        let elsewhere = || {
            let seats = lock(&self.seats).clone();
            seats.iter().find_map(|s| self.retry(|| s.queue.steal()))
        };
        *in_a_row += 1;
        let found = if *in_a_row > NEXT_IN_A_ROW {
            *in_a_row = 0;
            outside().or_else(here).or_else(elsewhere)
        } else {
            here().or_else(|| {
                *in_a_row = 0;
                outside().or_else(elsewhere)
            })
        };
        found.inspect(|task| self.uncount(task))
    }

    fn retry(&self, steal: impl Fn() -> Steal<Arc<Task>>) -> Option<Arc<Task>> {
        loop {
            match steal() {
                Steal::Success(task) => return Some(task),
                Steal::Empty => return None,
                Steal::Retry => {}
            }
        }
    }

    /// Sees to the timers that are due.
    fn ring(&self, runner: &dyn Runner) {
        let mut due = Vec::new();
        {
            let mut timers = lock(&self.timers);
            if timers.is_empty() {
                return;
            }
            let now = Instant::now();
            while let Some(Reverse((when, task, alarm))) = timers.peek().copied() {
                if when > now {
                    break;
                }
                timers.pop();
                due.push((task, alarm));
            }
        }
        due.into_iter().for_each(|(task, alarm)| runner.alarm(task, alarm));
    }

    fn rest(&self) {
        let mut calls = lock(&self.calls);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if !self.has_work() && !self.is_stopping() && *calls == 0 {
            let due = lock(&self.timers).peek().map(|Reverse((when, ..))| *when);
            calls = match due {
                Some(when) => {
                    let time = when.saturating_duration_since(Instant::now());
                    self.woken.wait_timeout(calls, time).unwrap_or_else(std::sync::PoisonError::into_inner).0
                }
                None => self.woken.wait(calls).unwrap_or_else(std::sync::PoisonError::into_inner),
            };
        }
        *calls = calls.saturating_sub(1);
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }
}
