//! One worker is started anew where it is.

use squall_core::control::{Accepted, TimelineKind};

use super::World;
use super::commands::accepted;
use super::record::Placed;
use crate::denied::{Denied, Kind};
use crate::states::Stage;

impl World {
    /// Has a worker stop and start again in its slot. It is as if it were given away and back: what was started before counts for
    /// nobody any more, and the trees that it touched fail and are replayed.
    pub(crate) fn restart(&mut self, id: &str, worker: u32) -> Result<Accepted, Denied> {
        let record = &self.topology(id)?.record;
        if !matches!(record.stage, Stage::Active | Stage::Inactive) {
            let error = format!("topology `{}` is {}", record.name, record.stage.shown());
            return Err(Denied::new(Kind::NotNow, error, "a worker is started anew while its topology is active or inactive"));
        }
        let (mut next, workers) = (record.clone(), record.workers.len());
        next.epoch += 1;
        let Some(placed) = next.workers.get_mut(worker as usize) else {
            let error = format!("there is no worker {worker}");
            let remedy = match workers {
                0 => "it waits for slots".to_owned(),
                1 => "it has one, worker 0".to_owned(),
                n => format!("it has workers 0 to {}", n - 1),
            };
            return Err(Denied::new(Kind::Unknown, error, remedy));
        };
        *placed = Placed { up: None, since: next.epoch, ..placed.clone() };
        log::info!(topology = id, worker; "worker is started anew, as asked for");
        // Before the change: after it nobody would know that this incarnation was up, which may never have reported.
        self.throws_away(&[id]);
        // Its last report will come from the same supervisor, and is still listened to.
        self.save(vec![next])?;
        if let Some(t) = self.topologies.get_mut(id) {
            let text = format!("worker {worker} is started anew, as asked for");
            t.statistics.happened(self.clock.unix_ms(), TimelineKind::State, text);
        }
        self.refresh();
        Ok(accepted(&self.topology(id)?.record))
    }
}
