//! Cluster, nimbus, supervisors, owners.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde_json::{Value, json};
use squall_core::control::{ClusterStatus, SupervisorStatus, TopologyStatus};

use super::Answer;
use super::pretty::{mb, percent, seconds, tenths, uptime};
use super::topology::worker;
use super::view::{Ask, object, owner as user};
use crate::cluster::World;
use crate::denied::Denied;
use crate::http::{Path, Shared};

pub(super) async fn configuration(State(nimbus): Shared) -> Answer {
    let cluster = nimbus.look(|w| Ok((w.cluster_status(), w.lease())))?;
    Ok(Json(json!({
        "storm.cluster.mode": "distributed",
        "nimbus.thrift.port": nimbus.port(),
        "ui.port": nimbus.port(),
        "nimbus.supervisor.timeout.secs": seconds(cluster.1),
        "supervisor.slots.ports": (0..cluster.0.slots_total).collect::<Vec<_>>(),
        "storm.version": cluster.0.version,
    })))
}

pub(super) async fn summary(State(nimbus): Shared) -> Answer {
    let c = nimbus.look(|w| Ok(w.cluster_status()))?;
    let tasks: u32 = c.topologies.iter().map(|t| t.tasks).sum();
    let machines = machines(&c);
    let sum = |of: fn(&SupervisorStatus) -> f64| tenths(machines.iter().map(|m| of(m)).sum());
    let (memory, used) = (sum(|m| mb(m.memory_bytes)), sum(|m| mb(m.usage.memory_used_bytes)));
    let (cpu, busy) = (sum(|m| f64::from(m.cores) * 100.0), sum(|m| percent(m.usage.cores_busy)));
    Ok(Json(json!({
        "user": null, "stormVersion": c.version,
        "stormVersionInfo": {"version": c.version, "branch": "", "revision": "", "date": "", "user": "", "url": "", "srcChecksum": ""},
        "supervisors": c.supervisors.iter().filter(|s| s.alive).count(),
        "topologies": c.topologies.len(),
        "slotsTotal": c.slots_total, "slotsUsed": c.slots_used, "slotsFree": c.slots_free,
        "executorsTotal": tasks, "tasksTotal": tasks,
        "schedulerDisplayResource": false,
        "totalMem": memory, "availMem": tenths(memory - used), "fragmentedMem": 0.0, "memAssignedPercentUtil": share(used, memory),
        "totalCpu": cpu, "availCpu": tenths(cpu - busy).max(0.0), "fragmentedCpu": 0.0, "cpuAssignedPercentUtil": share(busy, cpu),
        "totalGenerics": "", "availGenerics": "",
        "bugtracker-url": null, "central-log-url": null,
    })))
}

/// One supervisor of each machine that is alive: several may share its memory.
fn machines(c: &ClusterStatus) -> Vec<&SupervisorStatus> {
    let mut found: Vec<&SupervisorStatus> = Vec::new();
    for s in c.supervisors.iter().filter(|s| s.alive) {
        if !found.iter().any(|f| f.machine == s.machine) {
            found.push(s);
        }
    }
    found
}

fn share(used: f64, total: f64) -> String {
    format!("{:.3}", if total > 0.0 { (used / total * 100.0).min(100.0) } else { 0.0 })
}

pub(super) async fn nimbuses(State(nimbus): Shared) -> Answer {
    let c = nimbus.look(|w| Ok(w.cluster_status()))?;
    Ok(Json(json!({"nimbuses": [{
        "host": "localhost", "port": nimbus.port(), "nimbusLogLink": nimbus.log_file().map_or_else(String::new, |_| log_link("nimbus")), "status": "Leader", "version": c.version,
        "nimbusUpTime": uptime(c.uptime_ms), "nimbusUpTimeSeconds": c.uptime_ms / 1000,
    }]})))
}

/// Where a daemon's log is.
fn log_link(daemon: &str) -> String {
    format!("/v1/logs/{daemon}/download")
}

fn supervisor_line(s: &SupervisorStatus) -> Value {
    let (memory, used) = (mb(s.memory_bytes), mb(s.usage.memory_used_bytes));
    let cpu = f64::from(s.cores) * 100.0;
    // What is measured over a little less than its time may be a little more.
    let busy = percent(s.usage.cores_busy).min(cpu);
    json!({
        "id": s.id, "host": s.host, "uptime": uptime(s.uptime_ms), "uptimeSeconds": s.uptime_ms / 1000,
        "slotsTotal": s.slots, "slotsUsed": s.slots_used, "slotsFree": s.slots.saturating_sub(s.slots_used),
        "totalMem": memory, "usedMem": used, "availMem": tenths(memory - used).max(0.0),
        "totalCpu": cpu, "usedCpu": busy, "availCpu": tenths(cpu - busy).max(0.0),
        "totalGenericResources": "", "usedGenericResources": "", "availGenericResources": "",
        "version": s.version, "blacklisted": false, "logLink": log_link(&s.id),
    })
}

pub(super) async fn supervisors(State(nimbus): Shared) -> Answer {
    let c = nimbus.look(|w| Ok(w.cluster_status()))?;
    let lines: Vec<Value> = c.supervisors.iter().filter(|s| s.alive).map(supervisor_line).collect();
    Ok(Json(
        json!({"supervisors": lines, "schedulerDisplayResource": false, "logviewerPort": nimbus.port(), "logviewerScheme": "http"}),
    ))
}

/// By `?id=` or `?host=`, with its workers.
pub(super) async fn supervisor(State(nimbus): Shared, uri: Uri) -> Answer {
    let ask = Ask::of(&uri)?;
    let (c, topologies) = nimbus.look(|w| Ok((w.cluster_status(), all(w)?)))?;
    let wanted =
        |s: &&SupervisorStatus| ask.id.as_deref() == Some(s.id.as_str()) || ask.host.as_deref() == Some(s.host.as_str());
    let found: Vec<&SupervisorStatus> = c.supervisors.iter().filter(wanted).collect();
    let mut workers = Vec::new();
    for t in &topologies {
        let here = t.workers.iter().filter(|w| found.iter().any(|s| s.id == w.supervisor));
        workers.extend(here.map(|w| Value::Object(object(worker(t, w)))));
    }
    let lines: Vec<Value> = found.into_iter().map(supervisor_line).collect();
    Ok(Json(json!({"supervisors": lines, "workers": workers, "schedulerDisplayResource": false,
        "logviewerPort": nimbus.port(), "logviewerScheme": "http"})))
}

/// All topologies.
pub(super) fn all(w: &World) -> Result<Vec<TopologyStatus>, Denied> {
    w.summaries().iter().map(|t| w.topology_status(&t.id)).collect()
}

/// As in Storm, those that are gone too, as far as they are remembered.
pub(super) async fn history(State(nimbus): Shared) -> Answer {
    let ids = nimbus.look(|w| {
        let mut ids: Vec<String> = w.summaries().into_iter().map(|t| t.id).collect();
        let gone: Vec<String> = w.gone()?.into_iter().filter(|id| !ids.contains(id)).collect();
        ids.extend(gone);
        Ok(ids)
    })?;
    Ok(Json(json!({"topo-history": ids})))
}

fn owner_line(topologies: &[TopologyStatus]) -> Value {
    let workers = || topologies.iter().flat_map(|t| &t.workers);
    let tasks: u32 = topologies.iter().flat_map(|t| &t.components).map(|c| c.tasks).sum();
    let memory = mb(workers().map(|w| w.usage.rss_bytes).sum());
    json!({
        "owner": user(), "totalTopologies": topologies.len(), "totalWorkers": workers().count(), "totalExecutors": tasks,
        "totalTasks": tasks, "totalMemoryUsage": memory, "totalReqMem": 0.0, "totalReqOnHeapMem": 0.0, "totalReqOffHeapMem": 0.0,
        "totalReqCpu": 0.0, "totalAssignedMem": memory, "totalAssignedOnHeapMem": 0.0, "totalAssignedOffHeapMem": memory,
        "totalCpuUsage": percent(workers().map(|w| w.usage.cores_busy).sum()), "memoryGuarantee": "N/A",
        "cpuGuarantee": "N/A", "isolatedNodes": "N/A", "memoryGuaranteeRemaining": "N/A", "cpuGuaranteeRemaining": "N/A",
    })
}

pub(super) async fn owners(State(nimbus): Shared) -> Answer {
    let topologies = nimbus.look(all)?;
    let owners = if topologies.is_empty() { vec![] } else { vec![owner_line(&topologies)] };
    Ok(Json(json!({"schedulerDisplayResource": false, "owners": owners})))
}

pub(super) async fn owner(State(nimbus): Shared, Path(owner): Path<String>) -> Answer {
    let mut topologies = nimbus.look(all)?;
    if owner != user() {
        topologies.clear();
    }
    let mut line = object(owner_line(&topologies));
    line.insert("owner".to_owned(), json!(owner));
    let lines: Vec<Value> = topologies.iter().map(super::topology::line).collect();
    line.insert("topologies".to_owned(), json!(lines));
    line.insert("schedulerDisplayResource".to_owned(), json!(false));
    Ok(Json(Value::Object(line)))
}
