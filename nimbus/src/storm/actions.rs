//! What Storm's UI does to topologies. Waits are in seconds.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use serde::Deserialize;
use serde_json::{Value, json};
use squall_core::control::{Kill, Rebalance};

use super::Answer;
use crate::denied::Denied;
use crate::http::{Path, Shared, body};

const LONGEST_COMMAND: usize = 64 << 10;

pub(super) fn done(operation: &str, id: &str) -> Answer {
    Ok(Json(json!({"topologyOperation": operation, "topologyId": id, "status": "success"})))
}

pub(super) async fn activate(State(nimbus): Shared, Path(id): Path<String>) -> Answer {
    let done_to = nimbus.change(|w| w.find(&id).and_then(|id| w.activate(&id)))?;
    done("activate", &done_to.id)
}

pub(super) async fn deactivate(State(nimbus): Shared, Path(id): Path<String>) -> Answer {
    let done_to = nimbus.change(|w| w.find(&id).and_then(|id| w.deactivate(&id)))?;
    done("deactivate", &done_to.id)
}

/// A topology and a wait in a path; a wrong one is refused in Storm's form.
type Waiting = Result<Path<(String, u64)>, Denied>;

pub(super) async fn kill(State(nimbus): Shared, path: Waiting) -> Answer {
    let Path((id, wait)) = path?;
    let kill = Kill { wait_ms: Some(wait.saturating_mul(1000)) };
    let done_to = nimbus.change(|w| w.find(&id).and_then(|id| w.kill(&id, kill)))?;
    done("kill", &done_to.id)
}

/// As Storm's documentation has it, which its code does not read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    #[serde(rename = "rebalanceOptions")]
    options: Options,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    #[serde(rename = "numWorkers")]
    workers: Option<Count>,
    executors: BTreeMap<String, Count>,
}

/// A number, or one written as a text: Storm's documentation has both.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "Value")]
struct Count(u32);

impl TryFrom<Value> for Count {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let number = value.as_u64().and_then(|n| u32::try_from(n).ok());
        let number = number.or_else(|| value.as_str()?.parse().ok());
        number.map(Count).ok_or_else(|| format!("{value} is not a number of workers or tasks"))
    }
}

pub(super) async fn rebalance(State(nimbus): Shared, path: Waiting, request: Request) -> Answer {
    let Path((id, wait)) = path?;
    let Body { options } = body(request, LONGEST_COMMAND).await?;
    let change = Rebalance {
        wait_ms: Some(wait.saturating_mul(1000)),
        workers: options.workers.map(|n| n.0),
        parallelism: options.executors.into_iter().map(|(component, n)| (component, n.0)).collect(),
    };
    let done_to = nimbus.change(|w| w.find(&id).and_then(|id| w.rebalance(&id, change)))?;
    done("rebalance", &done_to.id)
}
