//! `squall metrics`: the numbers of a topology, or of one of its components task by task.

use squall_core::ComponentKind;
use squall_core::control::{ComponentDetail, ComponentStatus, TopologyStatus};
use squall_core::suggest::did_you_mean;

use super::status::{ms, times};
use crate::client::{Client, Where};
use crate::exit::{Failure, Outcome};
use crate::show::{Align, Show, count, rate};

/// Shows the numbers of a topology's components; of one component, those of each task and stream.
///
/// Totals count since the submit, those of dead workers included; a task's since its worker started. What is said a second
/// is of the last ten seconds.
///
/// Examples:
///   squall metrics digits
///   squall metrics digits classify
///   squall metrics digits --json | jq '.[] | {id, executed_per_s, capacity}'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The topology's name or id.
    name: String,
    /// One of its components.
    component: Option<String>,
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    let client = Client::find(place)?;
    let status = client.topology(&args.name)?;
    let Some(component) = &args.component else {
        return if show.json { show.json(&status.components) } else { overview(&status, show) };
    };
    known(&status, component)?;
    let detail = client.component(&status.id, component)?;
    if show.json { show.json(&detail) } else { one(&detail, show) }
}

/// Whether the topology has the component.
pub(super) fn known(status: &TopologyStatus, component: &str) -> Outcome {
    if status.components.iter().any(|c| c.id == component) {
        return Ok(());
    }
    let hint = did_you_mean(component, status.components.iter().map(|c| c.id.as_str()));
    Err(Failure::NotFound(format!("topology `{}` has no component `{component}`{hint}", status.name)))
}

fn overview(status: &TopologyStatus, show: &Show) -> Outcome {
    let columns = [
        ("component", Align::Left),
        ("tasks", Align::Right),
        ("emitted", Align::Right),
        ("per s", Align::Right),
        ("executed", Align::Right),
        ("per s", Align::Right),
        ("acked", Align::Right),
        ("failed", Align::Right),
        ("pending", Align::Right),
        ("queued", Align::Right),
        ("capacity", Align::Right),
        ("blocked", Align::Right),
        ("mean", Align::Right),
        ("p50", Align::Right),
        ("p99", Align::Right),
        ("errors", Align::Right),
    ];
    let row = |c: &ComponentStatus| {
        let times = times(c.kind, &c.execute, &c.complete);
        vec![
            c.id.clone(),
            c.tasks.to_string(),
            count(c.emitted),
            rate(c.emitted_per_s),
            count(c.executed),
            rate(c.executed_per_s),
            count(c.acked),
            count(c.failed),
            count(c.pending),
            count(c.queued),
            format!("{:.2}", c.capacity),
            format!("{:.2}", c.blocked),
            ms(times, times.mean_ms),
            ms(times, times.p50_ms),
            ms(times, times.p99_ms),
            count(c.errors),
        ]
    };
    show.table(&columns, &status.components.iter().map(row).collect::<Vec<_>>())?;
    let counters = status.components.iter().flat_map(|c| c.counters.iter().map(move |(name, n)| (&c.id, name, n)));
    let rows: Vec<Vec<String>> = counters.map(|(id, name, n)| vec![id.clone(), name.clone(), count(*n)]).collect();
    if rows.is_empty() {
        return Ok(());
    }
    show.line("")?;
    show.table(&[("component", Align::Left), ("counter", Align::Left), ("", Align::Right)], &rows)
}

fn one(detail: &ComponentDetail, show: &Show) -> Outcome {
    let columns = [
        ("task", Align::Right),
        ("worker", Align::Right),
        ("host", Align::Left),
        ("emitted", Align::Right),
        ("per s", Align::Right),
        ("executed", Align::Right),
        ("per s", Align::Right),
        ("acked", Align::Right),
        ("failed", Align::Right),
        ("queued", Align::Right),
        ("capacity", Align::Right),
        ("blocked", Align::Right),
        ("p50", Align::Right),
        ("p99", Align::Right),
    ];
    let rows: Vec<Vec<String>> = detail
        .tasks
        .iter()
        .map(|t| {
            let times = times(detail.status.kind, &t.execute, &t.complete);
            vec![
                t.task.to_string(),
                t.worker.map_or(String::new(), |w| w.to_string()),
                t.host.clone(),
                count(t.emitted),
                rate(t.emitted_per_s),
                count(t.executed),
                rate(t.executed_per_s),
                count(t.acked),
                count(t.failed),
                count(t.queued + t.pending),
                format!("{:.2}", t.capacity),
                format!("{:.2}", t.blocked),
                ms(times, times.p50_ms),
                ms(times, times.p99_ms),
            ]
        })
        .collect();
    show.table(&columns, &rows)?;
    let inputs = detail.inputs.iter().map(|i| {
        let way = format!("from {}", i.from);
        vec!["in".to_owned(), way, i.stream.clone(), i.grouping.name().to_owned(), count(i.total), rate(i.per_s)]
    });
    let spout = detail.status.kind == ComponentKind::Spout;
    let outputs = detail.outputs.iter().map(|o| {
        let way = if o.to.is_empty() { "to nobody".to_owned() } else { format!("to {}", o.to.join(", ")) };
        let mut row = vec!["out".to_owned(), way, o.stream.clone(), format!("({})", o.fields), count(o.emitted), rate(o.per_s)];
        if spout {
            let times = &o.complete;
            row.extend([count(o.acked), count(o.failed), ms(times, times.p50_ms), ms(times, times.p99_ms)]);
        }
        row
    });
    let rows: Vec<Vec<String>> = inputs.chain(outputs).collect();
    if rows.is_empty() {
        return Ok(());
    }
    show.line("")?;
    let mut columns = vec![
        ("", Align::Left),
        ("", Align::Left),
        ("stream", Align::Left),
        ("", Align::Left),
        ("tuples", Align::Right),
        ("per s", Align::Right),
    ];
    if spout {
        columns.extend([("acked", Align::Right), ("failed", Align::Right), ("p50", Align::Right), ("p99", Align::Right)]);
    }
    show.table(&columns, &rows)
}
