//! All there is to know of a topology, for interfaces that show it in another's words.

use std::collections::BTreeMap;
use std::sync::Arc;

use squall_core::control::TopologyStatus;
use squall_core::{Histogram, Plan};

use super::{Past, Topology, World};
use crate::denied::Denied;
use crate::history::{Point, Sums, TaskSums};

/// A topology with its past.
pub(crate) struct Whole {
    pub(crate) status: TopologyStatus,
    pub(crate) plan: Arc<Plan>,
    pub(crate) past: Past,
    /// Everything since the submit; of tasks, what their present incarnations counted.
    pub(crate) all_time: Point,
    pub(crate) unix_ms: u64,
}

/// The times of each component since the submit: in `execute`, and of whole trees.
pub(crate) type Times = BTreeMap<String, (Histogram, Histogram)>;

impl World {
    /// The times of a topology's components.
    pub(crate) fn times(&self, id: &str) -> Times {
        let totals = self.topologies.get(id).map(|t| t.statistics.totals()).unwrap_or_default();
        totals.into_iter().map(|(id, n)| (id, (n.execute, n.complete))).collect()
    }

    /// All there is to know of a topology.
    pub(crate) fn whole(&self, id: &str) -> Result<Whole, Denied> {
        let t = self.topology(id)?;
        let status = self.topology_status(id)?;
        let all_time = all_time(t, &status);
        Ok(Whole { plan: t.plan.clone(), past: self.past(id)?, all_time, unix_ms: self.clock.unix_ms(), status })
    }

    /// How long a supervisor may be silent.
    pub(crate) fn lease(&self) -> std::time::Duration {
        self.lease
    }
}

fn all_time(t: &Topology, status: &TopologyStatus) -> Point {
    let (mut totals, reports) = (t.statistics.totals(), t.statistics.tasks());
    let mut point = Point { ms: status.uptime_ms, ..Point::default() };
    for (at, c) in status.components.iter().enumerate() {
        let tasks = t.plan.tasks(at);
        let of = |task: u32| Some((task - tasks.start, TaskSums::from(reports.get(&task)?.1)));
        point.tasks.insert(c.id.clone(), tasks.clone().filter_map(of).collect::<BTreeMap<_, _>>());
        let sums = Sums {
            numbers: totals.remove(&c.id).unwrap_or_default(),
            errors: c.errors,
            capacity: c.capacity as f32,
            blocked: c.blocked as f32,
            queued: c.queued,
            pending: c.pending,
            busy_ns: 0,
        };
        point.components.insert(c.id.clone(), sums);
    }
    point
}
