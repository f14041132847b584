//! `/metrics`: what Prometheus scrapes. `docs/metrics.md` tells every name. Labels are names of machines, topologies, components and
//! workers: as many series as there are of these, never more, whatever flows.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use squall_core::control::{ClusterStatus, ComponentStatus, TopologyState, TopologyStatus};
use squall_core::openmetrics::{self, Exposition};

use super::Shared;
use crate::cluster::Times;
use crate::denied::Denied;

const STATES: [TopologyState; 4] =
    [TopologyState::Active, TopologyState::Inactive, TopologyState::Rebalancing, TopologyState::Killed];

pub(super) async fn metrics(State(nimbus): Shared) -> Result<Response, Denied> {
    let (cluster, topologies, times) = nimbus.look(|w| {
        let topologies = w.summaries().iter().map(|t| w.topology_status(&t.id)).collect::<Result<Vec<_>, _>>()?;
        let times: Vec<Times> = topologies.iter().map(|t| w.times(&t.id)).collect();
        Ok((w.cluster_status(), topologies, times))
    })?;
    let mut text = Exposition::default();
    of_cluster(&mut text, &cluster);
    of_topologies(&mut text, &topologies);
    of_components(&mut text, &topologies, &times);
    of_workers(&mut text, &topologies);
    Ok(([(CONTENT_TYPE, openmetrics::CONTENT_TYPE)], text.end()).into_response())
}

fn of_cluster(text: &mut Exposition, c: &ClusterStatus) {
    text.info("squall_nimbus", "Nimbus.").sample(&[("version", &c.version)], 1.0);
    text.gauge("squall_nimbus_uptime_seconds", "Time since nimbus started.").sample(&[], c.uptime_ms as f64 / 1e3);
    text.gauge("squall_cluster_slots", "Slots of supervisors that are alive.").sample(&[], f64::from(c.slots_total));
    text.gauge("squall_cluster_slots_used", "Slots that hold a worker.").sample(&[], f64::from(c.slots_used));
    let mut up = text.gauge("squall_supervisor_up", "Whether a supervisor's lease runs.");
    for s in &c.supervisors {
        up.sample(&[("supervisor", &s.id), ("host", &s.host), ("machine", &s.machine)], f64::from(u8::from(s.alive)));
    }
}

fn of_topologies(text: &mut Exposition, topologies: &[TopologyStatus]) {
    let mut states = text.gauge("squall_topology_state", "1 for the state that a topology is in, 0 for the others.");
    for t in topologies {
        for state in STATES {
            let labels = [("topology", t.name.as_str()), ("state", &state.to_string())];
            states.sample(&labels, f64::from(u8::from(t.state == state)));
        }
    }
    let mut uptime = text.gauge("squall_topology_uptime_seconds", "Time since a topology was submitted.");
    for t in topologies {
        uptime.sample(&[("topology", &t.name)], t.uptime_ms as f64 / 1e3);
    }
    let mut waiting = text.gauge("squall_topology_waiting", "Whether a topology is not wholly running.");
    for t in topologies {
        waiting.sample(&[("topology", &t.name)], f64::from(u8::from(t.waiting.is_some())));
    }
    let mut bytes = text.counter("squall_topology_link_bytes", "Bytes between workers.");
    for t in topologies {
        bytes.sample(&[("topology", &t.name), ("direction", "in")], t.link_bytes_in as f64);
        bytes.sample(&[("topology", &t.name), ("direction", "out")], t.link_bytes_out as f64);
    }
}

/// Called with a component and its labels.
type Each<'a> = dyn FnMut(&[(&str, &str)], &ComponentStatus) + 'a;

fn of_components(text: &mut Exposition, topologies: &[TopologyStatus], times: &[Times]) {
    type Of = fn(&ComponentStatus) -> f64;
    let counters: [(&str, &str, Of); 6] = [
        ("squall_component_emitted", "Tuples emitted.", |c| c.emitted as f64),
        ("squall_component_transferred", "Tuples delivered, one for each receiving task.", |c| c.transferred as f64),
        ("squall_component_executed", "Tuples taken in.", |c| c.executed as f64),
        ("squall_component_acked", "Tuples acked; of spouts, trees done.", |c| c.acked as f64),
        ("squall_component_failed", "Tuples failed; of spouts, trees failed.", |c| c.failed as f64),
        ("squall_component_errors", "Errors.", |c| c.errors as f64),
    ];
    let gauges: [(&str, &str, Of); 5] = [
        ("squall_component_tasks", "Tasks.", |c| f64::from(c.tasks)),
        ("squall_component_queued", "Tuples that wait.", |c| c.queued as f64),
        ("squall_component_pending", "Trees under way of a spout.", |c| c.pending as f64),
        ("squall_component_capacity_ratio", "Share of its time that the busiest task works, over 10 s.", |c| c.capacity),
        ("squall_component_blocked_ratio", "Share of the time that those it feeds were full, over 10 s.", |c| c.blocked),
    ];
    let each = |each: &mut Each<'_>| {
        for t in topologies {
            for c in &t.components {
                each(&[("topology", &t.name), ("component", &c.id), ("kind", &c.kind.to_string())], c);
            }
        }
    };
    for (name, help, of) in counters {
        let mut family = text.counter(name, help);
        each(&mut |labels, c| {
            family.sample(labels, of(c));
        });
    }
    for (name, help, of) in gauges {
        let mut family = text.gauge(name, help);
        each(&mut |labels, c| {
            family.sample(labels, of(c));
        });
    }
    let mut execute = text.histogram("squall_component_execute_seconds", "seconds", "Time in execute a tuple.");
    for (t, times) in topologies.iter().zip(times) {
        for (id, (times, _)) in times.iter().filter(|(_, (execute, _))| !execute.is_empty()) {
            execute.times(&[("topology", &t.name), ("component", id)], times);
        }
    }
    let help = "Time from emit to ack of whole trees.";
    let mut complete = text.histogram("squall_component_complete_seconds", "seconds", help);
    for (t, times) in topologies.iter().zip(times) {
        for (id, (_, times)) in times.iter().filter(|(_, (_, complete))| !complete.is_empty()) {
            complete.times(&[("topology", &t.name), ("component", id)], times);
        }
    }
}

fn of_workers(text: &mut Exposition, topologies: &[TopologyStatus]) {
    let mut up = text.gauge("squall_worker_up", "Whether a worker that is assigned has a process.");
    for t in topologies {
        for w in &t.workers {
            let labels = [("topology", t.name.as_str()), ("worker", &w.worker.to_string()), ("host", &w.host)];
            up.sample(&labels, f64::from(u8::from(w.pid.is_some())));
        }
    }
    let mut restarts = text.counter("squall_worker_restarts", "Starts of a worker after it died.");
    for t in topologies {
        for w in &t.workers {
            restarts.sample(&[("topology", &t.name), ("worker", &w.worker.to_string())], w.restarts as f64);
        }
    }
}
