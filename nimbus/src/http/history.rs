//! What was.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use serde::Deserialize;
use squall_core::control::History;

use super::Shared;
use super::answer::{Path, query};
use crate::cluster::{Past, Whose};
use crate::denied::{Denied, Kind};
use crate::nimbus::Nimbus;

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Ask {
    seconds: u64,
    component: Option<String>,
    task: Option<u32>,
}

impl Default for Ask {
    fn default() -> Self {
        Ask { seconds: 600, component: None, task: None }
    }
}

pub(super) async fn history(State(nimbus): Shared, Path(name): Path<String>, uri: Uri) -> Result<Json<History>, Denied> {
    let ask: Ask = query(&uri)?;
    let (id, task) = nimbus.look(|w| {
        let id = w.find(&name)?;
        let component = ask.component.as_deref().map(|c| w.component(&id, c)).transpose()?;
        let task = match (ask.task, component) {
            (None, _) => None,
            (Some(task), Some(component)) => Some(component.place(task)?),
            (Some(_), None) => {
                return Err(Denied::new(Kind::Unreadable, "a task is one of a component", "name the component too"));
            }
        };
        Ok((id, task))
    })?;
    read(&nimbus, &id, move |past| {
        let whose = match (&ask.component, task) {
            (Some(component), Some(place)) => Whose::Task(component, place),
            (Some(component), None) => Whose::Component(component),
            (None, _) => Whose::Topology,
        };
        past.history(ask.seconds, whose)
    })
    .await
    .map(Json)
}

/// Reads in a topology's past, beside everything else.
pub(super) async fn read<T: Send + 'static>(
    nimbus: &Arc<Nimbus>,
    id: &str,
    read: impl FnOnce(Past) -> squall_core::Result<T> + Send + 'static,
) -> Result<T, Denied> {
    let past = nimbus.look(|w| w.past(id))?;
    let done = tokio::task::spawn_blocking(move || read(past)).await;
    done.map_err(|e| Denied::new(Kind::Failed, format!("the past cannot be read: {e}"), ""))?.map_err(Denied::from)
}
