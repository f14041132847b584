//! The order of things: twin, squall, twin, squall …

use std::path::{Path, PathBuf};
use std::time::Duration;

use squall_core::Error;

use crate::data;
use crate::ground::Ground;
use crate::machine::Conditions;
use crate::measure::{Measured, Setup};
use crate::report::{Entry, Latency, Report};
use crate::scenario::{FLOOD, Load, SCENARIOS, Scenario};
use crate::statistics::Spread;
use crate::twin::{Fill, Paced};

/// What to measure, and how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// Names of scenarios; all if there are none.
    pub scenarios: Vec<String>,
    /// Numbers of workers; none: each scenario's own.
    pub workers: Option<u32>,
    /// Whether tuples are tracked; none: each scenario's own.
    pub acking: Option<bool>,
    /// How long each measurement takes.
    pub time: Duration,
    /// How often each is taken.
    pub rounds: u32,
    /// Tuples a second for scenarios that set their load; none: their own.
    pub rates: Vec<f64>,
}

impl Options {
    /// The scenarios wanted, with numbers of workers and acking.
    ///
    /// # Errors
    /// An unknown name; more workers than make sense for any of them.
    pub fn chosen(&self) -> squall_core::Result<Vec<(&'static Scenario, u32, bool)>> {
        let unknown = |name: &String| {
            let hint = squall_core::suggest::did_you_mean(name, SCENARIOS.iter().map(|s| s.name));
            Error::user(format!("no scenario `{name}`{hint}; `squall bench --list` shows all"))
        };
        let scenarios: Vec<&'static Scenario> = match &self.scenarios[..] {
            [] => SCENARIOS.iter().collect(),
            names => names.iter().map(|n| Scenario::find(n).ok_or_else(|| unknown(n))).collect::<Result<_, _>>()?,
        };
        let mut chosen = Vec::new();
        for scenario in scenarios {
            let mut variants: Vec<(u32, bool)> = scenario.usual.to_vec();
            if let Some(workers) = self.workers {
                variants.iter_mut().for_each(|v| v.0 = workers);
            }
            if let Some(acking) = self.acking {
                variants.iter_mut().for_each(|v| v.1 = acking);
            }
            variants.sort_unstable();
            variants.dedup();
            variants.retain(|(workers, _)| *workers <= scenario.most_workers);
            chosen.extend(variants.into_iter().map(|(workers, acking)| (scenario, workers, acking)));
        }
        if chosen.is_empty() {
            return Err(Error::user("none of these scenarios can have so many workers"));
        }
        Ok(chosen)
    }

    fn warm_up(&self) -> Duration {
        (self.time / 4).clamp(Duration::from_millis(500), Duration::from_secs(5))
    }
}

/// A scenario in one of its variants.
struct Run<'a> {
    scenario: &'static Scenario,
    workers: u32,
    acking: bool,
    options: &'a Options,
    data: &'a Path,
    file: PathBuf,
}

/// Measures, and puts figures into the report as they come: after an error those before it are there.
///
/// # Errors
/// A wrong choice, a cluster that does not answer, a topology that breaks down.
pub fn run<G: Ground>(options: &Options, ground: &mut G, report: &mut Report) -> Result<(), G::Error> {
    let chosen = options.chosen()?;
    let dir = tempfile::tempdir().map_err(|e| Error::external("cannot make a temporary folder").because(e))?;
    data::write(dir.path())?;
    let mut conditions = Conditions::here();
    conditions.seconds = options.time.as_secs_f64();
    conditions.warm_up = options.warm_up().as_secs_f64();
    conditions.rounds = options.rounds;
    report.conditions = conditions;
    for (scenario, workers, acking) in chosen {
        let file = dir.path().join(format!("{}.toml", scenario.name));
        std::fs::write(&file, scenario.topology)
            .map_err(|e| Error::external(format!("cannot write {}", file.display())).because(e))?;
        let run = Run { scenario, workers, acking, options, data: dir.path(), file };
        run.entries(ground, &mut report.entries)?;
    }
    Ok(())
}

impl Run<'_> {
    fn entries<G: Ground>(&self, ground: &mut G, entries: &mut Vec<Entry>) -> Result<(), G::Error> {
        match self.scenario.load {
            Load::Full => entries.push(self.full(ground)?),
            Load::Rate(rate) if self.options.rates.is_empty() => entries.push(self.paced(ground, rate, String::new())?),
            Load::Steps(steps) if self.options.rates.is_empty() => {
                let most = self.squall(ground, "saturation", Some(FLOOD))?;
                let saturation = most.rate;
                entries.push(self.entry("saturation".to_owned(), &[(most, None)]));
                for share in steps {
                    entries.push(self.paced(ground, saturation * share, format!("{:.0} %", share * 100.0))?);
                }
            }
            Load::Rate(_) | Load::Steps(_) => {
                for rate in &self.options.rates {
                    entries.push(self.paced(ground, *rate, format!("{rate} /s"))?);
                }
            }
        }
        Ok(())
    }

    /// As much as is taken.
    fn full<G: Ground>(&self, ground: &mut G) -> Result<Entry, G::Error> {
        let Scenario { twin, row, .. } = *self.scenario;
        let mut rounds = Vec::new();
        for round in 1..=self.options.rounds {
            let of = format!("round {round} of {}", self.options.rounds);
            self.say(ground, &format!("bare, {of}"));
            let bare = twin.run(Fill::new(row), self.data, self.workers, self.options.time / 2)?;
            rounds.push((self.squall(ground, &of, None)?, Some(bare)));
        }
        let mut entry = self.entry(String::new(), &rounds);
        entry.twin = twin.about(self.workers).to_owned();
        Ok(entry)
    }

    /// An open loop at this rate.
    fn paced<G: Ground>(&self, ground: &mut G, rate: f64, load: String) -> Result<Entry, G::Error> {
        let peer = (self.workers > 1).then(|| ground.peer());
        let (mut rounds, mut bare) = (Vec::new(), Vec::new());
        for round in 1..=self.options.rounds {
            let of = format!("{load}{}round {round} of {}", if load.is_empty() { "" } else { ", " }, self.options.rounds);
            self.say(ground, &format!("bare, {of}"));
            bare.push(Paced { rate, time: self.options.time / 2 }.run(peer.as_deref())?);
            rounds.push((self.squall(ground, &of, Some(rate))?, None));
        }
        let mut entry = self.entry(load, &rounds);
        entry.bare_latency = Latency::of(bare.iter());
        entry.latency = Latency::of(rounds.iter().map(|(m, _)| &m.lags));
        let between = if self.workers > 1 { "processes through ZeroMQ over tcp" } else { "threads through a channel" };
        entry.twin = format!("the same open loop between two {between}");
        Ok(entry)
    }

    fn squall<G: Ground>(&self, ground: &mut G, what: &str, rate: Option<f64>) -> Result<Measured, G::Error> {
        self.say(ground, what);
        let mut set =
            vec![("ACKING".to_owned(), self.acking.to_string()), ("DATA".to_owned(), self.data.display().to_string())];
        set.extend(rate.map(|rate| ("RATE".to_owned(), format!("{rate:.3}"))));
        let setup = Setup {
            scenario: self.scenario,
            file: &self.file,
            set: &set,
            workers: self.workers,
            warm_up: self.options.warm_up(),
            time: self.options.time,
        };
        setup.run(ground)
    }

    fn say<G: Ground>(&self, ground: &mut G, what: &str) {
        let like =
            Entry { scenario: self.scenario.name.to_owned(), workers: self.workers, acking: self.acking, ..Entry::default() };
        ground.say(&format!("{}: {what}", like.title()));
    }

    fn entry(&self, load: String, rounds: &[(Measured, Option<f64>)]) -> Entry {
        let spread = |of: &dyn Fn(&Measured) -> f64| Spread::of(rounds.iter().map(|(m, _)| of(m)));
        let bare = || rounds.iter().filter_map(|(m, bare)| Some((m.rate, (*bare)?)));
        Entry {
            scenario: self.scenario.name.to_owned(),
            workers: self.workers,
            acking: self.acking,
            load,
            per_second: spread(&|m| m.rate),
            bare_per_second: Spread::of(bare().map(|(_, bare)| bare)),
            ratio: Spread::of(bare().map(|(rate, bare)| rate / bare)),
            cpu_per_million: spread(&|m| m.cpu_per_million),
            cores: spread(&|m| m.cores),
            peak_rss: rounds.iter().map(|(m, _)| m.peak_rss).max().unwrap_or(0),
            rss_growth: rounds.iter().map(|(m, _)| m.rss_growth).max().unwrap_or(0),
            steal: rounds.iter().map(|(m, _)| m.steal).fold(0.0, f64::max),
            failed: rounds.iter().map(|(m, _)| m.failed).sum(),
            queued: rounds.iter().map(|(m, _)| m.queued).max().unwrap_or(0),
            rounds: rounds.iter().map(|(m, bare)| (m.rate, *bare)).collect(),
            ..Entry::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(scenarios: &[&str], workers: Option<u32>, acking: Option<bool>) -> Options {
        let scenarios = scenarios.iter().map(|s| (*s).to_owned()).collect();
        Options { scenarios, workers, acking, time: Duration::from_secs(2), rounds: 3, rates: Vec::new() }
    }

    #[test]
    fn variants_are_the_scenarios_own_unless_said_otherwise() {
        let chosen = |o: Options| {
            let all = o.chosen().unwrap().into_iter();
            all.map(|(s, workers, acking)| format!("{} {workers} {acking}", s.name)).collect::<Vec<_>>()
        };
        assert_eq!(chosen(options(&["const-only"], None, None)), ["const-only 1 false", "const-only 1 true"]);
        assert_eq!(chosen(options(&["const-null"], Some(2), None)), ["const-null 2 false", "const-null 2 true"]);
        assert_eq!(chosen(options(&["const-null"], Some(2), Some(true))), ["const-null 2 true"]);
        assert_eq!(chosen(options(&["const-only", "vectors"], Some(2), None)), ["vectors 2 false"]);
        assert!(chosen(options(&[], None, None)).len() > SCENARIOS.len());
    }

    #[test]
    fn wrong_choices_are_told() {
        let error = |o: Options| o.chosen().unwrap_err().to_string();
        assert!(error(options(&["const-nul"], None, None)).contains("did you mean `const-null`?"));
        assert!(error(options(&["const-only"], Some(2), None)).contains("so many workers"));
    }

    #[test]
    fn an_entry_sums_up_its_rounds() {
        let dir = tempfile::tempdir().unwrap();
        let options = options(&[], None, None);
        let scenario = Scenario::find("const-null").unwrap();
        let run =
            Run { scenario, workers: 1, acking: false, options: &options, data: dir.path(), file: dir.path().join("x.toml") };
        let measured = |rate: f64, steal: f64| Measured {
            rate,
            lags: Default::default(),
            cpu_per_million: 0.5,
            cores: 1.0,
            peak_rss: rate as u64,
            rss_growth: -(rate as i64),
            steal,
            failed: 1,
            queued: 4,
        };
        let entry = run.entry(String::new(), &[(measured(10.0, 0.0), Some(20.0)), (measured(30.0, 2.5), Some(40.0))]);
        assert_eq!(entry.ratio, Some(Spread { median: 0.625, min: 0.5, max: 0.75 }));
        assert_eq!((entry.failed, entry.peak_rss, entry.rss_growth, entry.steal), (2, 30, -10, 2.5));
        assert_eq!(entry.rounds, [(10.0, Some(20.0)), (30.0, Some(40.0))]);
        assert_eq!(entry.latency, None);
    }
}
