//! New versions of models while the worker runs: checked, opened and tried by a thread of its own, switched to when nimbus says so.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use squall_core::control::{ModelOrder, ModelState, ModelVersion};
use squall_core::{Error, Models, Result};

use crate::sync::lock;

/// Does what orders say about models.
pub(crate) struct Keeper {
    orders: Sender<BTreeMap<String, ModelOrder>>,
    states: Arc<Mutex<BTreeMap<String, ModelState>>>,
}

impl Keeper {
    /// Starts the thread; `changed` is called when there is something new to report.
    pub(crate) fn start(
        models: Models,
        launched: &BTreeMap<String, ModelVersion>,
        changed: impl Fn() + Send + 'static,
    ) -> Result<Self> {
        let state = |v: &ModelVersion| ModelState { current: v.serial, ..ModelState::default() };
        let states = Arc::new(Mutex::new(launched.iter().map(|(name, v)| (name.clone(), state(v))).collect()));
        let (orders, inbox) = channel();
        let work = Work { models, states: states.clone(), changed: Box::new(changed) };
        let thread = std::thread::Builder::new().name("models".to_owned()).spawn(move || work.run(&inbox));
        thread.map_err(|e| Error::external("cannot start a thread").because(e))?;
        Ok(Keeper { orders, states })
    }

    pub(crate) fn follow(&self, orders: &BTreeMap<String, ModelOrder>) {
        // Without the thread nothing can be done, and the states tell so: they stay as they are.
        let _ = self.orders.send(orders.clone());
    }

    pub(crate) fn states(&self) -> BTreeMap<String, ModelState> {
        lock(&self.states).clone()
    }
}

struct Work {
    models: Models,
    states: Arc<Mutex<BTreeMap<String, ModelState>>>,
    changed: Box<dyn Fn() + Send>,
}

impl Work {
    fn run(&self, inbox: &Receiver<BTreeMap<String, ModelOrder>>) {
        while let Ok(mut orders) = inbox.recv() {
            // Only the newest count.
            while let Ok(newer) = inbox.try_recv() {
                orders = newer;
            }
            for (name, order) in &orders {
                let before = lock(&self.states).get(name).cloned().unwrap_or_default();
                let after = self.follow(name, order, before.clone());
                if after != before {
                    lock(&self.states).insert(name.clone(), after);
                    (self.changed)();
                }
            }
        }
    }

    fn follow(&self, name: &str, order: &ModelOrder, mut state: ModelState) -> ModelState {
        let ModelOrder { current, next } = order;
        if current.serial > state.current {
            // Others have it ready, and this worker came too late to be asked.
            if state.ready != current.serial && state.refused != current.serial {
                self.ready(name, current, &mut state);
            }
            if state.ready == current.serial && self.models.switch(name, current.serial) {
                log::info!("model `{name}`: version {} from now on", current.version);
                (state.current, state.ready) = (current.serial, 0);
            }
        }
        match next {
            Some(next) if next.serial > state.current && next.serial != state.ready && next.serial != state.refused => {
                self.ready(name, next, &mut state);
            }
            None if state.ready != 0 && state.ready != current.serial => {
                self.models.forget(name);
                state.ready = 0;
            }
            _ => {}
        }
        state
    }

    fn ready(&self, name: &str, version: &ModelVersion, state: &mut ModelState) {
        let result = match (&version.path, &version.problem) {
            (Some(path), _) => {
                let open = AssertUnwindSafe(|| self.models.prepare(name, version));
                checked(path, &version.artefact).and_then(|()| {
                    catch_unwind(open).unwrap_or_else(|_| Err(Error::internal("opening it panicked; the log has more")))
                })
            }
            (None, Some(problem)) => Err(Error::external(problem.as_str())),
            // It is on its way; there will be new orders when it is here.
            (None, None) => return,
        };
        match result {
            Ok(()) => {
                log::info!("model `{name}`: version {} is ready", version.version);
                state.ready = version.serial;
            }
            Err(error) => {
                log::warn!("model `{name}`: version {} cannot be used: {error}", version.version);
                self.models.forget(name);
                (state.ready, state.refused, state.reason) = (0, version.serial, error.to_string());
            }
        }
    }
}

/// Whether the file is what it is called.
fn checked(path: &Path, sha256: &str) -> Result<()> {
    let cannot = |e: std::io::Error| Error::external(format!("cannot read {}", path.display())).because(e);
    let mut file = File::open(path).map_err(cannot)?;
    let (mut digest, mut piece) = (Sha256::new(), vec![0; 1 << 18]);
    loop {
        match file.read(&mut piece).map_err(cannot)? {
            0 => break,
            n => digest.update(&piece[..n]),
        }
    }
    let found: String = digest.finalize().iter().map(|b| format!("{b:02x}")).collect();
    if found == sha256 {
        return Ok(());
    }
    Err(Error::external(format!("{} is damaged: its SHA-256 is {found}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::support::wait_for;

    fn version(serial: u64, path: &Path, text: &str) -> ModelVersion {
        let artefact = Sha256::digest(text).iter().map(|b| format!("{b:02x}")).collect();
        ModelVersion { serial, version: serial, artefact, path: Some(path.to_owned()), ..ModelVersion::default() }
    }

    #[test]
    fn a_version_is_checked_and_tried_before_it_is_ready_and_used_when_ordered() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let first = version(1, &file("1", "one"), "one");
        let models = Models::new([("m".to_owned(), first.clone())]);
        let open = |v: &ModelVersion| match std::fs::read_to_string(v.path.as_ref().unwrap())?.as_str() {
            "bad" => Err(Error::user("too few features")),
            "worse" => panic!("no"),
            text => Ok(text.to_owned()),
        };
        let mut followed = models.follow("m", open).unwrap();
        let launched = BTreeMap::from([("m".to_owned(), first.clone())]);
        let keeper = Keeper::start(models, &launched, || {}).unwrap();
        let order = |current: &ModelVersion, next: Option<&ModelVersion>| {
            keeper.follow(&BTreeMap::from([("m".to_owned(), ModelOrder { current: current.clone(), next: next.cloned() })]));
        };
        let state = || keeper.states()["m"].clone();

        for (serial, text, content, reason) in
            [(2, "bad", "bad", "too few features"), (3, "other", "cut", "is damaged"), (4, "worse", "worse", "panicked")]
        {
            order(&first, Some(&version(serial, &file(&serial.to_string(), content), text)));
            wait_for("a refusal", || state().refused == serial);
            assert!(state().reason.contains(reason), "{}", state().reason);
            assert_eq!((state().current, followed.turn()), (1, false));
        }
        let good = version(5, &file("5", "five"), "five");
        order(&first, Some(&ModelVersion { path: None, ..good.clone() }));
        order(&first, Some(&good));
        wait_for("it to be ready", || state().ready == 5);
        assert!(!followed.turn());
        order(&good, None);
        wait_for("the switch", || state().current == 5);
        assert!(followed.turn());
        assert_eq!(*followed, "five");
        // One that nobody asked to have ready is opened all the same: this worker was not there.
        order(&version(6, &file("6", "six"), "six"), None);
        wait_for("the switch", || state().current == 6);
        // And one that was not wanted in the end is let go.
        order(&version(6, &file("6", "six"), "six"), Some(&version(7, &file("7", "seven"), "seven")));
        wait_for("it to be ready", || state().ready == 7);
        order(&version(6, &file("6", "six"), "six"), None);
        wait_for("it to be let go", || state().ready == 0);
    }
}
