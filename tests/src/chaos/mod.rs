//! Real clusters under random faults, repeated from a seed: nothing that the spouts emitted may be missing at the sink.

mod disk;
mod fault;
pub mod measure;
mod network;
mod tally;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use squall_core::control::{TopologyState, TopologyStatus};

pub use fault::{ALL, APART, Fault};
pub use tally::Tally;

use crate::{Cluster, Dice, Machine, repository, started_in, wait_for, wait_until};

const NAME: &str = "sequence-window";
const KEYS: u64 = 100;
/// Numbers a second.
const RATE: usize = 2000;
/// Without any new number for this long, the topology stands still.
const STANDSTILL: Duration = Duration::from_secs(60);

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// All numbers.
    pub limit: usize,
    /// Those that never reached the sink.
    pub missing: Vec<usize>,
    /// How many reached it more than once.
    pub repeated: u64,
    /// Lines whose writer died over them.
    pub torn: u64,
    /// Lines whose list does not ascend.
    pub out_of_order: u64,
}

/// A cluster with the sequence-window topology.
#[derive(Debug)]
pub struct Chaos {
    cluster: Cluster,
    dice: Dice,
    tally: Tally,
    limit: usize,
}

impl Chaos {
    /// Three machines of three slots each, and the topology on them, with two to four workers unless so many are wanted.
    /// In namespaces of one's own (`apart`) every machine, nimbus and the sink have a small disk each, and all machines an address.
    #[track_caller]
    pub fn start(seed: u64, limit: usize, workers: Option<usize>, apart: bool) -> Chaos {
        let mut dice = Dice::new(seed);
        let diced = 2 + dice.below(3);
        let names = ["one", "two", "three"];
        let mut machines = names.map(|name| Machine::new(name, 3));
        let dir = tempfile::tempdir().expect("a temporary folder");
        let out = dir.path().join("out");
        std::fs::create_dir(&out).expect("the folder can be written to");
        if apart {
            network::take_over();
            for (n, machine) in machines.iter_mut().enumerate() {
                machine.address = Ipv4Addr::new(127, 0, 1 + n as u8, 1);
            }
            for name in names.iter().chain(&["out", "nimbus"]) {
                let folder = dir.path().join(name);
                std::fs::create_dir_all(&folder).expect("the folder can be written to");
                let folder = folder.display().to_string();
                // The sink's holds every number several times over.
                let size = if *name == "out" { "size=96m,mode=0700" } else { "size=16m,mode=0700" };
                run_tool("mount", &["-t", "tmpfs", "-o", size, "tmpfs", &folder]);
            }
        }
        let cluster = Cluster::start_in(dir, &machines);
        let set = [
            format!("OUT={}", out.join("windows.jsonl").display()),
            format!("WORKERS={}", workers.unwrap_or(diced)),
            format!("LIMIT={limit}"),
            format!("RATE={RATE}"),
            format!("KEYS={KEYS}"),
            // Whatever is lost must be noticed by what died, never by the time-out: a tree that would wait for it stands still.
            "TIMEOUT=1h".to_owned(),
        ];
        let file = repository().join("topologies/sequence-window.toml").display().to_string();
        let sets = set.iter().flat_map(|s| ["--set", s]);
        cluster.squall(&["submit", &file].into_iter().chain(sets).collect::<Vec<_>>()).ok();
        let tally = Tally::new(&out, limit, KEYS);
        let mut chaos = Chaos { cluster, dice, tally, limit };
        if std::env::var_os("SQUALL_CHAOS_KEEP").is_some() {
            chaos.cluster.keep_folder();
            eprintln!("  in {}", chaos.cluster.dir().display());
        }
        chaos.settled();
        chaos.progress();
        chaos
    }

    /// The cluster.
    pub fn cluster(&mut self) -> &mut Cluster {
        &mut self.cluster
    }

    /// Does so many faults of these kinds, one after the other; each at most once before any comes again.
    #[track_caller]
    pub fn rage(&mut self, kinds: &[Fault], faults: usize) {
        let mut deck = Vec::new();
        for n in 1..=faults {
            if self.tally.distinct() == self.limit {
                eprintln!("  all numbers are there before the {n}th fault");
                return;
            }
            if deck.is_empty() {
                deck.extend_from_slice(kinds);
                self.dice.shuffle(&mut deck);
            }
            let Some(fault) = deck.pop() else { return };
            eprintln!("  {n}. {fault:?} …");
            let began = Instant::now();
            let about = self.strike(fault);
            self.progress();
            let (there, took) = (self.tally.distinct(), began.elapsed().as_secs_f64());
            let repeated = self.tally.repeated();
            eprintln!("     {about}: over after {took:.1} s; {there} of {} numbers, {repeated} repeated", self.limit);
        }
    }

    /// Waits until the topology has finished, counts, kills it, and ends the cluster. Nothing may be left.
    #[track_caller]
    pub fn drain(&mut self) -> Outcome {
        self.settled();
        let mut moved = Instant::now();
        let mut lines = self.tally.lines;
        wait_for_ever(|| {
            self.tally.read();
            if std::mem::replace(&mut lines, self.tally.lines) != self.tally.lines {
                moved = Instant::now();
            }
            let done = self.cluster.topology(NAME).is_some_and(|t| t.finished);
            assert!(done || moved.elapsed() < STANDSTILL, "it stands still: {:#?}", self.cluster.topology(NAME));
            done
        });
        self.tally.read();
        let outcome = Outcome {
            limit: self.limit,
            missing: self.tally.missing(),
            repeated: self.tally.repeated(),
            torn: self.tally.torn,
            out_of_order: self.tally.out_of_order,
        };
        if !outcome.missing.is_empty() {
            self.cluster.keep_folder();
            eprintln!("kept for a look: {}", self.cluster.dir().display());
        }
        self.end();
        outcome
    }

    fn end(&mut self) {
        self.cluster.squall(&["kill", NAME, "-w", "0"]).ok();
        wait_until("the topology is gone", || self.cluster.topology(NAME).is_none());
        let machines = self.cluster.machines();
        let mut daemons: Vec<u32> = machines.iter().map(|m| self.cluster.supervisor(m).pid()).collect();
        daemons.push(self.cluster.nimbus().pid());
        let dir = self.cluster.dir().to_owned();
        wait_until("no worker is left", || started_in(&dir).iter().all(|pid| daemons.contains(pid)));
        for machine in machines {
            self.cluster.supervisor(&machine).stop();
        }
        self.cluster.nimbus().stop();
        assert_eq!(started_in(&dir), Vec::<u32>::new(), "processes are left");
    }

    /// Waits until all machines are there and all workers run.
    #[track_caller]
    fn settled(&mut self) -> TopologyStatus {
        wait_until("all supervisors are alive", || {
            self.cluster
                .try_get::<squall_core::control::ClusterStatus>("/v1/cluster")
                .is_some_and(|c| c.supervisors.len() == self.cluster.machines().len() && c.supervisors.iter().all(|s| s.alive))
        });
        self.cluster.wait(NAME, "active, and all workers run", |t| {
            t.state == TopologyState::Active && !t.workers.is_empty() && t.workers.iter().all(fault::running)
        })
    }

    /// Waits until new numbers have reached the sink, unless all have. A spout that began again has only old ones for a while;
    /// then many of these will do.
    #[track_caller]
    fn progress(&mut self) {
        self.tally.read();
        let (lines, before) = (self.tally.lines, self.tally.distinct());
        let limit = self.limit;
        let tally = &mut self.tally;
        wait_for("more numbers at the sink", || {
            tally.read();
            let new = tally.lines > lines + 200 && tally.distinct() > before;
            (new || tally.lines > lines + 5000 || tally.distinct() == limit).then_some(())
        });
    }
}

fn run_tool(tool: &str, args: &[&str]) {
    crate::run(std::process::Command::new(tool).args(args)).ok();
}

fn wait_for_ever(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One run from start to end: so many faults by this seed, and nothing lost.
///
/// # Panics
/// Something is missing, left over, or does not happen.
#[track_caller]
pub fn run(seed: u64, kinds: &[Fault], faults: usize, limit: usize) -> Outcome {
    eprintln!("SQUALL_CHAOS_SEED={seed}: {faults} faults, {limit} numbers");
    let began = Instant::now();
    let mut chaos = Chaos::start(seed, limit, None, kinds.contains(&Fault::Partition));
    chaos.rage(kinds, faults);
    let outcome = chaos.drain();
    let Outcome { missing, repeated, torn, out_of_order, .. } = &outcome;
    let took = began.elapsed().as_secs_f64();
    let lost = missing.len();
    eprintln!("  seed {seed}: {lost} lost, {repeated} repeated, {out_of_order} out of order, {torn} torn; {took:.0} s");
    assert!(missing.is_empty(), "seed {seed}: {lost} of {limit} numbers never came: {:?}…", &missing[..lost.min(20)]);
    outcome
}
