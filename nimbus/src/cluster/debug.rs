//! Which tuples workers write to their logs beside their own lines: Storm's debug, or event logging.

use std::collections::BTreeMap;

use super::World;
use super::record::Record;
use crate::denied::{Denied, Kind};

/// Shares in percent by component; the empty name is the whole topology.
pub(crate) type Debug = BTreeMap<String, u8>;

impl World {
    /// Has a share of what a component, or every one, emits written to logs until it is ended with none.
    pub(crate) fn set_debug(&mut self, id: &str, component: Option<&str>, percent: Option<f64>) -> Result<(), Denied> {
        if let Some(component) = component {
            self.component(id, component)?;
        }
        let mut debug = self.topology(id)?.record.debug.clone();
        let key = component.unwrap_or_default().to_owned();
        match percent {
            None => drop(debug.remove(&key)),
            Some(percent) if percent > 0.0 && percent <= 100.0 => drop(debug.insert(key, percent.ceil() as u8)),
            Some(percent) => {
                let error = format!("{percent} is no share of tuples in percent");
                return Err(Denied::new(Kind::Wrong, error, "give more than 0, and at most 100"));
            }
        }
        let record = Record { debug, ..self.topology(id)?.record.clone() };
        self.save(vec![record])?;
        self.refresh();
        Ok(())
    }

    /// The shares that count now.
    pub(crate) fn debug(&self, id: &str) -> Result<Debug, Denied> {
        Ok(self.topology(id)?.record.debug.clone())
    }
}
