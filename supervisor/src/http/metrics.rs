//! `/metrics`: what Prometheus scrapes of a machine. `docs/metrics.md` tells every name.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use squall_core::control::{Heartbeat, ModelUse, WorkerStatus};
use squall_core::openmetrics::{self, Exposition};

use super::Shared;

pub(super) async fn metrics(State(supervisor): Shared) -> Response {
    ([(CONTENT_TYPE, openmetrics::CONTENT_TYPE)], text(&supervisor.status())).into_response()
}

fn text(said: &Heartbeat) -> String {
    let mut text = Exposition::default();
    let labels = [("version", said.version.as_str()), ("machine", &said.machine), ("host", &said.host)];
    text.info("squall_supervisor", "The supervisor.").sample(&labels, 1.0);
    text.gauge("squall_supervisor_slots", "Its slots.").sample(&[], f64::from(said.slots));
    text.gauge("squall_machine_cores", "Processor cores that it deals out.").sample(&[], f64::from(said.cores));
    text.gauge("squall_machine_cores_busy", "Processor cores of the machine that are busy.").sample(&[], said.usage.cores_busy);
    text.gauge("squall_machine_memory_bytes", "The machine's memory.").sample(&[], said.memory_bytes as f64);
    let used = said.usage.memory_used_bytes as f64;
    text.gauge("squall_machine_memory_used_bytes", "Memory that is not available.").sample(&[], used);

    type Of = fn(&WorkerStatus) -> f64;
    let gauges: [(&str, &str, Of); 3] = [
        ("squall_worker_process_up", "Whether a worker has a process.", |w| f64::from(u8::from(w.pid.is_some()))),
        ("squall_worker_cores_busy", "Processor cores that a worker keeps busy.", |w| w.usage.cores_busy),
        ("squall_worker_resident_memory_bytes", "Resident memory of a worker.", |w| w.usage.rss_bytes as f64),
    ];
    for (name, help, of) in gauges {
        let mut family = text.gauge(name, help);
        for w in &said.workers {
            family.sample(&[("topology", &w.topology), ("worker", &w.worker.to_string())], of(w));
        }
    }
    type OfModel = fn(&ModelUse) -> f64;
    let gauges: [(&str, &str, OfModel); 4] = [
        ("squall_model_processes", "Processes that have mapped a model file.", |m| f64::from(m.mapped_by)),
        ("squall_model_pss_bytes", "Resident bytes of a model file, what is shared counted once.", |m| m.pss_bytes as f64),
        ("squall_model_rss_bytes", "Resident bytes of a model file, counted in each process.", |m| m.rss_bytes as f64),
        ("squall_model_private_bytes", "Resident bytes of a model file that are not shared.", |m| m.private_bytes as f64),
    ];
    for (name, help, of) in gauges {
        let mut family = text.gauge(name, help);
        for m in &said.models {
            family.sample(&[("artefact", m.artefact.get(..16).unwrap_or(&m.artefact))], of(m));
        }
    }
    text.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_every_worker_and_ends() {
        let worker = WorkerStatus { topology: "t\"1".into(), worker: 3, pid: Some(7), ..WorkerStatus::default() };
        let text = text(&Heartbeat { slots: 4, workers: vec![worker], ..Heartbeat::default() });
        assert!(text.contains("squall_supervisor_slots 4\n"), "{text}");
        assert!(text.contains("squall_worker_process_up{topology=\"t\\\"1\",worker=\"3\"} 1\n"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }
}
