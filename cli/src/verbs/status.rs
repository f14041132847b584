//! `squall status`: a topology's components, workers, errors and models.

use squall_core::ComponentKind;
use squall_core::control::{ComponentStatus, Latency, Phase, TopologyStatus};

use super::cluster::short;
use super::errors::in_component;
use crate::client::{Client, Where};
use crate::exit::Outcome;
use crate::show::{Align, Show, age, count, rate, size};

/// Shows a topology: its components with their numbers, workers and errors; without a name, the cluster.
///
/// Examples:
///   squall status                  the cluster, as `squall cluster`
///   squall status digits
///   squall status digits --models  model files and the memory they take on each machine
///   squall status digits --json | jq '.components[] | {id, emitted, acked}'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The topology's name or id.
    name: Option<String>,
    /// The models: file, checksum, mapped by how many processes, resident, proportional and private bytes.
    #[arg(long)]
    models: bool,
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    let Some(name) = &args.name else {
        if args.models {
            return all_models(place, show);
        }
        return super::cluster::run(&super::cluster::Args {}, place, show);
    };
    let status = Client::find(place)?.topology(name)?;
    match (args.models, show.json) {
        (false, true) => show.json(&status),
        (true, true) => show.json(&status.models),
        (true, false) => models(&[status], show),
        (false, false) => {
            head(&status, show)?;
            components(&status, show)?;
            show.line("")?;
            workers(&status, show)?;
            errors(&status, show)
        }
    }
}

fn head(status: &TopologyStatus, show: &Show) -> Outcome {
    let TopologyStatus { id, state, epoch, .. } = status;
    let mut line = format!("{id} {state}, submitted {} ago, assignment {epoch}", age(status.uptime_ms / 1000));
    if let Some(left) = status.wait_left_ms {
        line.push_str(&format!(", goes on in {} at the latest", age(left.div_ceil(1000))));
    }
    if status.finished {
        line.push_str(", finished");
    }
    if let Some(waiting) = &status.waiting {
        line.push_str(&format!("; {waiting}"));
    }
    show.line(&line)?;
    show.line("")
}

/// The components and their numbers.
pub(super) fn components(status: &TopologyStatus, show: &Show) -> Outcome {
    let columns = [
        ("component", Align::Left),
        ("type", Align::Left),
        ("tasks", Align::Right),
        ("emitted", Align::Right),
        ("executed", Align::Right),
        ("acked", Align::Right),
        ("failed", Align::Right),
        ("per s", Align::Right),
        ("queued", Align::Right),
        ("capacity", Align::Right),
        ("p50", Align::Right),
        ("p99", Align::Right),
        ("counters", Align::Left),
    ];
    let rows: Vec<Vec<String>> = status.components.iter().map(component).collect();
    show.table(&columns, &rows)
}

fn component(c: &ComponentStatus) -> Vec<String> {
    let times = times(c.kind, &c.execute, &c.complete);
    let per_s = if c.kind == ComponentKind::Spout { c.emitted_per_s } else { c.executed_per_s };
    let counters: Vec<String> = c.counters.iter().map(|(name, n)| format!("{name} {}", count(*n))).collect();
    vec![
        c.id.clone(),
        c.type_name.clone(),
        c.tasks.to_string(),
        count(c.emitted),
        count(c.executed),
        count(c.acked),
        count(c.failed),
        rate(per_s),
        count(c.queued + c.pending),
        format!("{:.2}", c.capacity),
        ms(times, times.p50_ms),
        ms(times, times.p99_ms),
        counters.join(", "),
    ]
}

/// The times to show of a component or a task: a spout's are those of whole trees, a bolt's those of one tuple.
pub(super) fn times<'a>(kind: ComponentKind, execute: &'a Latency, complete: &'a Latency) -> &'a Latency {
    match kind {
        ComponentKind::Spout => complete,
        ComponentKind::Bolt => execute,
    }
}

/// A time in milliseconds for people; nothing where nothing was measured.
pub(super) fn ms(of: &Latency, value: f64) -> String {
    if of.count == 0 { String::new() } else { crate::show::nanos((value * 1e6) as u64) }
}

fn workers(status: &TopologyStatus, show: &Show) -> Outcome {
    let columns = [
        ("worker", Align::Right),
        ("host", Align::Left),
        ("supervisor", Align::Left),
        ("slot", Align::Right),
        ("pid", Align::Right),
        ("phase", Align::Left),
        ("up", Align::Right),
        ("restarts", Align::Right),
        ("tasks", Align::Left),
        ("", Align::Left),
    ];
    let rows: Vec<Vec<String>> = status
        .workers
        .iter()
        .map(|w| {
            let silent = w.silent.then(|| "its supervisor is silent: this was heard last".to_owned());
            let ended = w.last_exit.as_ref().map(|e| format!("ended before: {}", e.how));
            vec![
                w.worker.to_string(),
                w.host.clone(),
                short(&w.supervisor),
                w.slot.to_string(),
                w.pid.map_or(String::new(), |pid| pid.to_string()),
                w.phase.map_or("", phase).to_owned(),
                age(w.uptime_ms / 1000),
                w.restarts.to_string(),
                ranges(&w.tasks),
                silent.or(w.problem.clone()).or(ended).unwrap_or_default(),
            ]
        })
        .collect();
    show.table(&columns, &rows)
}

pub(super) fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Starting => "starting",
        Phase::Connecting => "connecting",
        Phase::Running => "running",
        Phase::Drained => "drained",
        Phase::Finished => "finished",
        Phase::Failed => "failed",
    }
}

/// `[1, 2, 3, 7]` as `1-3 7`.
fn ranges(tasks: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for task in tasks {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*task) => *last = *task,
            _ => runs.push((*task, *task)),
        }
    }
    let text = |(a, b): &(u32, u32)| if a == b { a.to_string() } else { format!("{a}-{b}") };
    runs.iter().map(text).collect::<Vec<_>>().join(" ")
}

fn errors(status: &TopologyStatus, show: &Show) -> Outcome {
    if status.errors.is_empty() {
        return Ok(());
    }
    show.line("")?;
    let columns = [("times", Align::Right), ("component", Align::Left), ("task", Align::Right), ("error", Align::Left)];
    let rows: Vec<Vec<String>> = status
        .errors
        .iter()
        .take(10)
        .map(|e| vec![count(e.count), e.component.clone(), in_component(e, e.task), e.message.clone()])
        .collect();
    show.table(&columns, &rows)
}

fn all_models(place: &Where, show: &Show) -> Outcome {
    let client = Client::find(place)?;
    let mut all = Vec::new();
    for topology in client.topologies()? {
        all.push(client.topology(&topology.id)?);
    }
    if show.json {
        let of = |t: &TopologyStatus| serde_json::json!({"topology": t.name, "models": t.models});
        return show.json(&all.iter().map(of).collect::<Vec<_>>());
    }
    models(&all, show)
}

/// The models of topologies on each machine.
pub(super) fn models(topologies: &[TopologyStatus], show: &Show) -> Outcome {
    let columns = [
        ("topology", Align::Left),
        ("model", Align::Left),
        ("from", Align::Left),
        ("machine", Align::Left),
        ("sha256", Align::Left),
        ("size", Align::Right),
        ("mapped by", Align::Right),
        ("rss", Align::Right),
        ("pss", Align::Right),
        ("private", Align::Right),
    ];
    let mut rows = Vec::new();
    for topology in topologies {
        for m in &topology.models {
            rows.push(vec![
                topology.name.clone(),
                m.name.clone(),
                m.source_file.clone(),
                short(&m.machine),
                short(&m.memory.artefact),
                size(m.memory.bytes),
                m.memory.mapped_by.to_string(),
                size(m.memory.rss_bytes),
                size(m.memory.pss_bytes),
                size(m.memory.private_bytes),
            ]);
        }
    }
    if rows.is_empty() {
        show.note("no model is mapped");
        return Ok(());
    }
    show.table(&columns, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_tasks_are_shown_as_ranges() {
        assert_eq!(ranges(&[1, 2, 3, 7, 9, 10]), "1-3 7 9-10");
        assert_eq!(ranges(&[]), "");
    }
}
