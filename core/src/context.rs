//! What a component is told about itself and its surroundings.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;

use crate::{Error, InputStream, ModelMeter, ModelNumbers, Models, Result, StreamDecl, StreamId};

/// What a component is told when it is built and prepared. The engine fills it in; tests use [`Context::default`] or the
/// harness.
///
/// ```
/// use squall_core::Context;
/// let ctx = Context { component: "shout".into(), parallelism: 2, ..Context::default() };
/// assert_eq!(ctx.index, 0);
/// ```
#[derive(Debug, Clone)]
pub struct Context {
    /// The topology's name.
    pub topology: String,
    /// The component's id in the topology.
    pub component: String,
    /// This task's id: unique in the topology, from 1.
    pub task: u32,
    /// This task's place among the component's tasks, from 0.
    pub index: u32,
    /// How many tasks the component has.
    pub parallelism: u32,
    /// Tasks of every component, for direct streams.
    pub tasks: Arc<BTreeMap<String, Vec<u32>>>,
    /// The streams it subscribes to.
    pub inputs: Vec<InputStream>,
    /// The streams it may emit on.
    pub outputs: Vec<StreamDecl>,
    /// Where the models of the topology lie on this machine, by name.
    pub models: Arc<BTreeMap<String, PathBuf>>,
    /// The same models for components that take up new versions while they run; see [`Models::follow`].
    pub live: Models,
    /// A directory of this topology on this machine that outlives workers; `{task}` files of different tasks must differ.
    pub state_dir: PathBuf,
    /// Calls the task back when something came in from outside.
    pub waker: Waker,
    /// The component's own numbers.
    pub metrics: Metrics,
}

impl Default for Context {
    fn default() -> Self {
        Context {
            topology: "test".into(),
            component: "test".into(),
            task: 1,
            index: 0,
            parallelism: 1,
            tasks: Arc::default(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            models: Arc::default(),
            live: Models::default(),
            state_dir: std::env::temp_dir(),
            waker: Waker::noop().clone(),
            metrics: Metrics::default(),
        }
    }
}

impl Context {
    /// The position of an output stream, to emit on it without a look-up.
    ///
    /// # Errors
    /// The component declares no such stream.
    ///
    /// ```
    /// use squall_core::{Context, Schema, StreamDecl, StreamId};
    /// let ctx = Context { outputs: vec![StreamDecl::named("late", Schema::default())], ..Context::default() };
    /// assert_eq!(ctx.stream("late").unwrap(), StreamId(0));
    /// ```
    pub fn stream(&self, name: &str) -> Result<StreamId> {
        let position = self.outputs.iter().position(|s| s.name == name);
        position.map(|i| StreamId(i as u32)).ok_or_else(|| Error::user(format!("the component declares no stream `{name}`")))
    }

    /// The file of a model named in the topology.
    ///
    /// # Errors
    /// The topology has no model of this name.
    ///
    /// ```
    /// assert!(squall_core::Context::default().model("digits").is_err());
    /// ```
    pub fn model(&self, name: &str) -> Result<&Path> {
        self.models.get(name).map(PathBuf::as_path).ok_or_else(|| {
            let hint = crate::suggest::did_you_mean(name, self.models.keys().map(String::as_str));
            Error::user(format!("the topology has no model `{name}`{hint}"))
        })
    }
}

/// A component's own numbers, shown beside the engine's. Cheap to clone; all clones share the numbers.
///
/// ```
/// use squall_core::Metrics;
/// let metrics = Metrics::default();
/// metrics.counter("correct").add(3);
/// assert_eq!(metrics.read(), [("correct".to_string(), 3)]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    counters: Arc<Mutex<BTreeMap<String, Counter>>>,
    models: Arc<Mutex<BTreeMap<(String, u64), ModelMeter>>>,
}

impl Metrics {
    /// The counter of this name, from zero when it is new. Look it up once, in `prepare`.
    ///
    /// ```
    /// let counter = squall_core::Metrics::default().counter("rows");
    /// counter.add(1);
    /// ```
    pub fn counter(&self, name: &str) -> Counter {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.entry(name.to_owned()).or_default().clone()
    }

    /// All counters and their values, by name.
    ///
    /// ```
    /// assert!(squall_core::Metrics::default().read().is_empty());
    /// ```
    pub fn read(&self) -> Vec<(String, u64)> {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.iter().map(|(name, c)| (name.clone(), c.get())).collect()
    }
}

impl Metrics {
    /// The meter of a version of a model, from zero when it is new. Look it up when the version changes, not for every batch.
    ///
    /// ```
    /// let metrics = squall_core::Metrics::default();
    /// metrics.model("digits", 2).batch(64, 1, 1_000_000);
    /// assert_eq!(metrics.models()[0].rows, 64);
    /// ```
    pub fn model(&self, name: &str, version: u64) -> ModelMeter {
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        models.entry((name.to_owned(), version)).or_insert_with(|| ModelMeter::new(name, version)).clone()
    }

    /// What was scored, by model and version.
    ///
    /// ```
    /// assert!(squall_core::Metrics::default().models().is_empty());
    /// ```
    pub fn models(&self) -> Vec<ModelNumbers> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner).values().map(ModelMeter::read).collect()
    }
}

/// A number that only grows.
///
/// ```
/// let c = squall_core::Counter::default();
/// c.add(2);
/// assert_eq!(c.get(), 2);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds to it.
    ///
    /// ```
    /// squall_core::Counter::default().add(1);
    /// ```
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Its value.
    ///
    /// ```
    /// assert_eq!(squall_core::Counter::default().get(), 0);
    /// ```
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
