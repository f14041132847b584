//! Versions of models, log levels and taps of running topologies.

use std::time::Duration;

use squall_core::Plan;
use squall_core::control::{
    ComponentDetail, Deploy, Deployment, LogLevel, OpenTap, Rollback, Samples, SetLog, TapOpened, TopologyModels,
    is_topology_name,
};
use ureq::SendBody;
use ureq::http::Method;

use super::{Client, PATIENCE, POLL, topology};
use crate::exit::{Failure, Outcome};

impl Client {
    /// The plan, secrets masked.
    pub(crate) fn plan(&self, name: &str) -> Outcome<Plan> {
        self.get(&topology(name, "/plan")?)
    }

    /// A component of a topology, task by task.
    pub(crate) fn component(&self, name: &str, component: &str) -> Outcome<ComponentDetail> {
        self.get(&topology(name, &format!("/components/{}", segment(component)?))?)
    }

    /// A topology's models.
    pub(crate) fn models(&self, name: &str) -> Outcome<TopologyModels> {
        self.get(&topology(name, "/models")?)
    }

    /// The models when something is another than at `after`; `None` when the time is over before.
    pub(crate) fn models_after(&self, name: &str, after: u64) -> Outcome<Option<TopologyModels>> {
        self.poll(&topology(name, "/models")?, after, POLL)
    }

    pub(crate) fn deploy(&self, name: &str, model: &str, deploy: &Deploy) -> Outcome<Deployment> {
        self.post(&topology(name, &format!("/models/{}/deploy", segment(model)?))?, deploy)
    }

    pub(crate) fn rollback(&self, name: &str, model: &str, to: &Rollback) -> Outcome<Deployment> {
        self.post(&topology(name, &format!("/models/{}/rollback", segment(model)?))?, to)
    }

    pub(crate) fn log_levels(&self, name: &str) -> Outcome<Vec<LogLevel>> {
        self.get(&topology(name, "/log")?)
    }

    pub(crate) fn set_log(&self, name: &str, set: &SetLog) -> Outcome<Vec<LogLevel>> {
        self.post(&topology(name, "/log")?, set)
    }

    pub(crate) fn open_tap(&self, name: &str, open: &OpenTap) -> Outcome<TapOpened> {
        self.post(&topology(name, "/taps")?, open)
    }

    /// What a tap caught since `after`; `None` when there was nothing for a while.
    pub(crate) fn samples(&self, name: &str, tap: u64, after: u64, wait: Duration) -> Outcome<Option<Samples>> {
        self.poll(&topology(name, &format!("/taps/{tap}"))?, after, wait)
    }

    pub(crate) fn close_tap(&self, name: &str, tap: u64) -> Outcome {
        let path = topology(name, &format!("/taps/{tap}"))?;
        self.call(Method::DELETE, &path, SendBody::none(), PATIENCE).map(drop)
    }
}

/// A model's or component's name as a part of a path.
fn segment(name: &str) -> Outcome<&str> {
    if is_topology_name(name) {
        return Ok(name);
    }
    Err(Failure::Usage(format!("`{name}` is no name of a model or component: expected letters, digits, `-`, `_` and `.`")))
}
