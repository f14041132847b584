//! Models that change while they are used: a component follows a model by its name, and takes up a new version between two batches.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::control::ModelVersion;
use crate::{Error, Result};

/// The models of a worker, and who follows them. Cheap to clone; all clones are the same.
///
/// The worker calls [`prepare`](Models::prepare), which may take its time, then [`switch`](Models::switch), which does not.
///
/// ```
/// use squall_core::Models;
/// use squall_core::control::ModelVersion;
/// let version = |serial| ModelVersion { serial, version: serial, ..ModelVersion::default() };
/// let models = Models::new([("m".to_string(), version(1))]);
/// let mut followed = models.follow("m", |v| Ok(v.version * 10)).unwrap();
/// models.prepare("m", &version(2)).unwrap();
/// assert!(!followed.turn(), "nothing changes before the switch");
/// assert!(models.switch("m", 2));
/// assert_eq!(*followed, 10, "nor before the next batch");
/// assert!(followed.turn());
/// assert_eq!((*followed, followed.version().version), (20, 2));
/// ```
#[derive(Clone, Default)]
pub struct Models {
    slots: Arc<Mutex<BTreeMap<String, Slot>>>,
}

struct Slot {
    current: ModelVersion,
    followers: Vec<Arc<dyn Follower>>,
}

impl fmt::Debug for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.slots().iter().map(|(name, slot)| (name, slot.current.version))).finish()
    }
}

impl Models {
    /// Models with the versions they begin with.
    ///
    /// ```
    /// assert!(squall_core::Models::new([]).current("digits").is_none());
    /// ```
    pub fn new(versions: impl IntoIterator<Item = (String, ModelVersion)>) -> Self {
        let slot = |(name, current)| (name, Slot { current, followers: Vec::new() });
        Models { slots: Arc::new(Mutex::new(versions.into_iter().map(slot).collect())) }
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<String, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version that batches are scored with from now on.
    ///
    /// ```
    /// use squall_core::{Models, control::ModelVersion};
    /// assert_eq!(Models::new([("m".to_string(), ModelVersion::default())]).current("m").unwrap().serial, 0);
    /// ```
    pub fn current(&self, name: &str) -> Option<ModelVersion> {
        self.slots().get(name).map(|s| s.current.clone())
    }

    /// Opens the current version with `open`, and every later one before it is switched to. `open` is called by another thread
    /// than the task's: there it may read a large file, and try what it has made of it.
    ///
    /// # Errors
    /// There is no such model, or what `open` says of the current version. An error of a later one leaves all as it is.
    ///
    /// ```
    /// assert!(squall_core::Models::default().follow("digits", |_| Ok(())).is_err());
    /// ```
    pub fn follow<T: Send + 'static>(
        &self,
        name: &str,
        open: impl Fn(&ModelVersion) -> Result<T> + Send + Sync + 'static,
    ) -> Result<Followed<T>> {
        let Some(version) = self.current(name) else {
            let slots = self.slots();
            let hint = crate::suggest::did_you_mean(name, slots.keys().map(String::as_str));
            return Err(Error::user(format!("the topology has no model `{name}`{hint}")));
        };
        let now = open(&version)?;
        let link = Arc::new(Link { open, newest: AtomicU64::new(version.serial), states: Mutex::default() });
        if let Some(slot) = self.slots().get_mut(name) {
            slot.followers.push(link.clone());
        }
        Ok(Followed { link, now, seen: version.serial, version })
    }

    /// Has all followers open a version. When one refuses, none keeps it.
    ///
    /// # Errors
    /// What a follower said of it.
    ///
    /// ```
    /// use squall_core::{Models, control::ModelVersion};
    /// assert!(Models::default().prepare("m", &ModelVersion::default()).is_ok(), "nobody follows it");
    /// ```
    pub fn prepare(&self, name: &str, version: &ModelVersion) -> Result<()> {
        // Not under the lock: it may take long, and tasks of other models may be built meanwhile.
        let followers = self.slots().get(name).map(|s| s.followers.clone()).unwrap_or_default();
        let prepared = followers.iter().try_for_each(|f| f.prepare(version));
        if prepared.is_err() {
            followers.iter().for_each(|f| f.forget());
        }
        prepared
    }

    /// From now on followers take up this version, which they have prepared; whether all have.
    ///
    /// ```
    /// assert!(!squall_core::Models::default().switch("m", 2));
    /// ```
    pub fn switch(&self, name: &str, serial: u64) -> bool {
        let mut slots = self.slots();
        let Some(slot) = slots.get_mut(name) else { return false };
        if slot.current.serial >= serial || !slot.followers.iter().all(|f| f.has(serial)) {
            return false;
        }
        for follower in &slot.followers {
            if let Some(version) = follower.switch() {
                slot.current = version;
            }
        }
        slot.current.serial = serial;
        true
    }

    /// Lets go of what was prepared.
    ///
    /// ```
    /// squall_core::Models::default().forget("m");
    /// ```
    pub fn forget(&self, name: &str) {
        self.slots().get(name).into_iter().flat_map(|s| &s.followers).for_each(|f| f.forget());
    }
}

/// A follower, whatever it makes of a version.
trait Follower: Send + Sync {
    fn prepare(&self, version: &ModelVersion) -> Result<()>;
    fn has(&self, serial: u64) -> bool;
    fn switch(&self) -> Option<ModelVersion>;
    fn forget(&self);
}

/// What stands between the thread that prepares and the task.
struct Link<T, F> {
    open: F,
    /// The serial of what the task is to use.
    newest: AtomicU64,
    states: Mutex<States<T>>,
}

struct States<T> {
    prepared: Option<(ModelVersion, T)>,
    /// Until the task takes it up; if another comes before, it never was.
    switched: Option<(ModelVersion, T)>,
}

impl<T> Default for States<T> {
    fn default() -> Self {
        States { prepared: None, switched: None }
    }
}

impl<T, F> Link<T, F> {
    fn states(&self) -> MutexGuard<'_, States<T>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send, F: Fn(&ModelVersion) -> Result<T> + Send + Sync> Follower for Link<T, F> {
    fn prepare(&self, version: &ModelVersion) -> Result<()> {
        let opened = (self.open)(version)?;
        self.states().prepared = Some((version.clone(), opened));
        Ok(())
    }

    fn has(&self, serial: u64) -> bool {
        self.states().prepared.as_ref().is_some_and(|(v, _)| v.serial == serial)
    }

    fn switch(&self) -> Option<ModelVersion> {
        let mut states = self.states();
        let prepared = states.prepared.take()?;
        let version = prepared.0.clone();
        states.switched = Some(prepared);
        self.newest.store(version.serial, Ordering::Release);
        Some(version)
    }

    fn forget(&self) {
        // Dropped after the lock: it may be large.
        let _prepared = self.states().prepared.take();
    }
}

/// The task's end of [`Link`].
trait Source<T>: Send + Sync {
    fn newest(&self) -> u64;
    fn take(&self) -> Option<(ModelVersion, T)>;
}

impl<T: Send, F: Send + Sync> Source<T> for Link<T, F> {
    #[inline]
    fn newest(&self) -> u64 {
        self.newest.load(Ordering::Acquire)
    }

    fn take(&self) -> Option<(ModelVersion, T)> {
        self.states().switched.take()
    }
}

/// What a task has of a model it follows. Call [`turn`](Followed::turn) before each batch.
///
/// ```
/// fn scored_by(model: &squall_core::Followed<String>) -> u64 { model.version().version }
/// ```
pub struct Followed<T> {
    link: Arc<dyn Source<T>>,
    now: T,
    seen: u64,
    version: ModelVersion,
}

impl<T> Followed<T> {
    /// Takes up a newer version if there is one; whether there was.
    ///
    /// ```
    /// fn before_a_batch(model: &mut squall_core::Followed<String>) { model.turn(); }
    /// ```
    #[inline]
    pub fn turn(&mut self) -> bool {
        if self.link.newest() == self.seen {
            return false;
        }
        let Some((version, now)) = self.link.take() else { return false };
        (self.seen, self.version, self.now) = (version.serial, version, now);
        true
    }

    /// The version in use.
    ///
    /// ```
    /// fn checksum(model: &squall_core::Followed<String>) -> &str { &model.version().artefact }
    /// ```
    pub fn version(&self) -> &ModelVersion {
        &self.version
    }
}

impl<T> Deref for Followed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.now
    }
}

impl<T> DerefMut for Followed<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(serial: u64) -> ModelVersion {
        ModelVersion { serial, version: serial, ..ModelVersion::default() }
    }

    fn picky(v: &ModelVersion) -> Result<u64> {
        if v.version == 13 { Err("unlucky".into()) } else { Ok(v.version) }
    }

    #[test]
    fn all_followers_switch_or_none_does() {
        let models = Models::new([("m".to_owned(), version(1))]);
        let mut easy = models.follow("m", |v| Ok(v.version)).unwrap();
        let mut hard = models.follow("m", picky).unwrap();
        assert_eq!(models.prepare("m", &version(13)).unwrap_err().to_string(), "unlucky");
        assert!(!models.switch("m", 13));
        assert!(!easy.turn() && !hard.turn());
        models.prepare("m", &version(14)).unwrap();
        assert!(!models.switch("m", 15), "that one was not prepared");
        assert!(models.switch("m", 14) && !models.switch("m", 14));
        assert!(easy.turn() && hard.turn() && !hard.turn());
        assert_eq!((*easy, *hard, models.current("m").unwrap().version), (14, 14, 14));
    }

    #[test]
    fn a_follower_that_comes_later_begins_with_the_newest_and_nobody_goes_back() {
        let models = Models::new([("m".to_owned(), version(1))]);
        let mut first = models.follow("m", |v| Ok(v.version)).unwrap();
        for serial in [2, 3] {
            models.prepare("m", &version(serial)).unwrap();
            assert!(models.switch("m", serial));
        }
        assert_eq!(*models.follow("m", |v| Ok(v.version)).unwrap(), 3);
        assert!(first.turn());
        assert_eq!(*first, 3, "what was not taken up in time never was");
        models.prepare("m", &version(2)).unwrap();
        assert!(!models.switch("m", 2), "a lower serial is older");
        models.forget("m");
        assert!(!first.turn());
    }
}
