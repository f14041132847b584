//! How long it takes until what died has a successor and what was lost comes again. Printed, never asserted: times depend on
//! the machine.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use squall_core::control::WorkerSummary;

use super::fault::{kill, on, running};
use super::{Chaos, NAME, RATE};
use crate::{pause, resume, wait_for};

/// How often one looks.
const LOOK: Duration = Duration::from_millis(1);

/// Samples of one number.
#[derive(Debug, Default)]
struct Samples(Vec<f64>);

impl Samples {
    fn show(&mut self, what: &str) {
        self.0.sort_by(f64::total_cmp);
        let at = |share: f64| self.0.get((share * (self.0.len().max(1) - 1) as f64).round() as usize).copied().unwrap_or(0.0);
        eprintln!("{what:60} n={:3}  min {:8.0}  median {:8.0}  max {:8.0}", self.0.len(), at(0.0), at(0.5), at(1.0));
    }
}

/// What reaches the sink, looked at in the light of what is to.
#[derive(Debug, Default)]
struct Flow(VecDeque<(Instant, u64)>);

impl Flow {
    /// Over this time.
    const OVER: Duration = Duration::from_millis(200);

    /// With so many lines now: whether nine tenths of the rate came in the last while. What comes faster makes up for what did not come.
    fn is_full(&mut self, lines: u64) -> bool {
        let now = Instant::now();
        self.0.push_back((now, lines));
        while self.0.get(1).is_some_and(|(at, _)| now - *at >= Flow::OVER) {
            self.0.pop_front();
        }
        let (at, before) = self.0[0];
        now - at >= Flow::OVER && (lines - before) as f64 >= 0.9 * RATE as f64 * (now - at).as_secs_f64()
    }
}

/// kill -9 of a worker, so many times.
pub fn kills(chaos: &mut Chaos, times: usize) {
    for with_spout in [true, false] {
        let (mut up, mut replay, mut full, mut repeats) = <(Samples, Samples, Samples, Samples)>::default();
        for _ in 0..times {
            // Of workers that died a moment ago the supervisor starts the next one later; that is not what is measured.
            let before = chaos.cluster.wait(NAME, "all have run for long enough", |t| {
                !t.workers.is_empty() && t.workers.iter().all(|w| running(w) && w.uptime_ms > 10_500)
            });
            chaos.progress();
            let has_spout = |w: &&WorkerSummary| w.tasks.iter().any(|t| *t <= 2) == with_spout;
            let victims: Vec<WorkerSummary> = before.workers.iter().filter(has_spout).cloned().collect();
            let victim = chaos.dice.pick(&victims).clone();
            let repeated = chaos.tally.repeated();
            let began = Instant::now();
            kill(&victim);
            // What the dead had written does not count.
            chaos.tally.read();
            let replayed = chaos.tally.replayed;
            let (mut up_at, mut replay_at, mut full_at) = (None, None, None);
            let mut flow = Flow::default();
            while (up_at.is_none() || replay_at.is_none() || full_at.is_none()) && began.elapsed() < Duration::from_secs(20) {
                chaos.tally.read();
                if flow.is_full(chaos.tally.lines) {
                    full_at.get_or_insert(began.elapsed());
                }
                if replay_at.is_none() && chaos.tally.replayed > replayed {
                    replay_at = Some(began.elapsed());
                }
                let successor = |w: &WorkerSummary| w.worker == victim.worker && w.incarnation > victim.incarnation;
                if up_at.is_none()
                    && let Some(now) = chaos.cluster.topology(NAME)
                    && now.workers.iter().any(|w| successor(w) && running(w))
                {
                    up_at = Some(began.elapsed());
                }
                std::thread::sleep(LOOK);
            }
            up.0.extend(up_at.map(millis));
            replay.0.extend(replay_at.map(millis));
            full.0.extend(full_at.map(millis));
            chaos.settled();
            chaos.progress();
            chaos.progress();
            let repeated = chaos.tally.repeated() - repeated;
            eprintln!("  {}: successor {up_at:?}, replay {replay_at:?}, full {full_at:?}, {repeated} repeated", victim.worker);
            repeats.0.push(repeated as f64);
        }
        let whose = if with_spout { "worker with a spout" } else { "worker without a spout" };
        up.show(&format!("{whose}: kill to its successor connected, ms"));
        replay.show(&format!("{whose}: kill to the first replay at the sink, ms"));
        full.show(&format!("{whose}: kill to full throughput at the sink, ms"));
        repeats.show(&format!("{whose}: lines repeated"));
    }
}

/// A machine falls silent, so many times.
pub fn silences(chaos: &mut Chaos, times: usize) {
    let (mut given_up, mut moved, mut replay, mut repeats) = <(Samples, Samples, Samples, Samples)>::default();
    for _ in 0..times {
        let before = chaos.settled();
        chaos.progress();
        let machine = chaos.dice.pick(&before.workers).machine.clone();
        let mut pids: Vec<u32> = on(&before, &machine).filter_map(|w| w.pid).collect();
        pids.push(chaos.cluster.supervisor(&machine).pid());
        let repeated = chaos.tally.repeated();
        let began = Instant::now();
        pids.iter().copied().for_each(pause);
        chaos.tally.read();
        let replayed = chaos.tally.replayed;
        let is_dead = |c: squall_core::control::ClusterStatus| c.supervisors.iter().any(|s| s.machine == machine && !s.alive);
        wait_for("the machine is given up", || chaos.cluster.try_get("/v1/cluster").is_some_and(is_dead).then_some(()));
        given_up.0.push(millis(began.elapsed()));
        chaos.moved(&before, &machine);
        moved.0.push(millis(began.elapsed()));
        wait_for("a replay", || {
            chaos.tally.read();
            (chaos.tally.replayed > replayed).then_some(())
        });
        replay.0.push(millis(began.elapsed()));
        chaos.progress();
        pids.into_iter().for_each(resume);
        chaos.fenced(&before, &machine);
        repeats.0.push((chaos.tally.repeated() - repeated) as f64);
    }
    given_up.show("machine silent to given up, ms");
    moved.show("machine silent to its tasks running elsewhere, ms");
    replay.show("machine silent to the first replay at the sink, ms");
    repeats.show("machine silent: lines repeated, a moved spout's included");
}

fn millis(took: Duration) -> f64 {
    took.as_secs_f64() * 1000.0
}
