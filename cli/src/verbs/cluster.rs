//! `squall cluster`: nimbus, its supervisors and their slots.

use crate::client::{Client, Where};
use crate::exit::Outcome;
use crate::show::{Align, Show, age, size};

/// Shows the cluster: nimbus, supervisors, slots, topologies.
///
/// Examples:
///   squall cluster
///   squall cluster --json | jq '.slots_free'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, place: &Where, show: &Show) -> Outcome {
    let client = Client::find(place)?;
    let cluster = client.cluster()?;
    if show.json {
        return show.json(&cluster);
    }
    let (used, total) = (cluster.slots_used, cluster.slots_total);
    let up = age(cluster.uptime_ms / 1000);
    let (url, version, pid) = (client.url(), &cluster.version, cluster.pid);
    show.line(&format!("nimbus {url} version {version} pid {pid} up {up}; {used} of {total} slots used"))?;
    show.line("")?;
    if cluster.supervisors.is_empty() {
        show.note("no supervisor; `squall supervisor` starts one");
    } else {
        let columns = [
            ("supervisor", Align::Left),
            ("host", Align::Left),
            ("machine", Align::Left),
            ("slots", Align::Right),
            ("used", Align::Right),
            ("cores", Align::Right),
            ("memory", Align::Right),
            ("up", Align::Right),
            ("", Align::Left),
        ];
        let rows: Vec<Vec<String>> = cluster
            .supervisors
            .iter()
            .map(|s| {
                let alive = if s.alive { String::new() } else { format!("dead, silent for {}", age(s.silent_ms / 1000)) };
                vec![
                    short(&s.id),
                    s.host.clone(),
                    short(&s.machine),
                    s.slots.to_string(),
                    s.slots_used.to_string(),
                    s.cores.to_string(),
                    size(s.memory_bytes),
                    age(s.uptime_ms / 1000),
                    alive,
                ]
            })
            .collect();
        show.table(&columns, &rows)?;
    }
    show.line("")?;
    super::list::table(&cluster.topologies, show)
}

/// The beginning of an id, enough to tell it from others.
pub(super) fn short(id: &str) -> String {
    id.chars().take(12).collect()
}
