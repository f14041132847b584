//! Testing spouts and bolts without a cluster: rows go in by hand, and what comes out lies open.
//!
//! ```
//! use squall_core::harness::Harness;
//! use squall_core::{FieldType, Output, Schema, Tuple};
//!
//! let shout = |t: &Tuple<'_>, out: &mut Output<'_>| out.emit((t.str("word")?.to_uppercase(),));
//! let words = || Schema::new([("word", FieldType::Str)]);
//! let mut bolt = Harness::default().input(words()).output(words()).bolt(shout).unwrap();
//! bolt.feed([("storm",), ("squall",)]).unwrap();
//! assert_eq!(bolt.rows("default"), [["STORM".into()], ["SQUALL".into()]]);
//! assert_eq!(bolt.acked(), [0, 1]);
//! ```
//!
//! What a bolt author gets wrong shows as a panic with the reason: an input settled twice, an anchor that was never fed.

mod bolt;
mod spout;
mod whole;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

pub use bolt::{BoltHarness, Emitted};
pub use spout::{Sent, SpoutHarness};
pub use whole::{Surroundings, run_case};

use crate::control::ModelVersion;
use crate::{
    Bolt, BoltConfig, Check, Columns, ComponentKind, Context, DEFAULT_STREAM, Error, Grouping, InputStream, Models, Registry,
    Resolved, Result, Schema, Slice, Spout, SpoutConfig, StreamDecl, StreamId, Value, ValueRef,
};

/// The surroundings of the component under test: its inputs, outputs, models and place among its tasks.
///
/// ```
/// use squall_core::harness::Harness;
/// use squall_core::{FieldType, Schema};
/// let surroundings = Harness::default().input(Schema::new([("n", FieldType::Int)])).task(1, 4);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Harness {
    ctx: Context,
    models: BTreeMap<String, PathBuf>,
}

impl Harness {
    /// One more stream that the bolt subscribes to: from a component `input`, `input1`, … by shuffle.
    ///
    /// ```
    /// # use squall_core::{Schema, harness::Harness};
    /// let _ = Harness::default().input(Schema::default());
    /// ```
    #[must_use]
    pub fn input(self, fields: Schema) -> Self {
        let from = match self.ctx.inputs.len() {
            0 => "input".to_owned(),
            n => format!("input{n}"),
        };
        self.input_from(&from, DEFAULT_STREAM, fields)
    }

    /// One more stream that the bolt subscribes to, with the names of its component and stream.
    ///
    /// ```
    /// # use squall_core::{Schema, harness::Harness};
    /// let _ = Harness::default().input_from("orders", "late", Schema::default());
    /// ```
    #[must_use]
    pub fn input_from(mut self, component: &str, stream: &str, fields: Schema) -> Self {
        let (from, stream) = (component.to_owned(), stream.to_owned());
        self.ctx.inputs.push(InputStream { from, stream, fields, grouping: Grouping::Shuffle });
        self
    }

    /// The default output stream of a component that is not made from a configuration.
    ///
    /// ```
    /// # use squall_core::{Schema, harness::Harness};
    /// let _ = Harness::default().output(Schema::default());
    /// ```
    #[must_use]
    pub fn output(self, fields: Schema) -> Self {
        self.stream(StreamDecl::default_stream(fields))
    }

    /// One more output stream of a component that is not made from a configuration.
    ///
    /// ```
    /// # use squall_core::{Schema, StreamDecl, harness::Harness};
    /// let _ = Harness::default().stream(StreamDecl::named("late", Schema::default()));
    /// ```
    #[must_use]
    pub fn stream(mut self, stream: StreamDecl) -> Self {
        self.ctx.outputs.push(stream);
        self
    }

    /// A model of the topology and its artefact.
    ///
    /// ```
    /// # use squall_core::harness::Harness;
    /// let _ = Harness::default().model("digits", "digits.safetensors");
    /// ```
    #[must_use]
    pub fn model(mut self, name: &str, artefact: impl Into<PathBuf>) -> Self {
        self.models.insert(name.to_owned(), artefact.into());
        self
    }

    /// Where the component keeps files; else the system's temporary directory.
    ///
    /// ```
    /// # use squall_core::harness::Harness;
    /// let _ = Harness::default().state_dir(std::env::temp_dir());
    /// ```
    #[must_use]
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.ctx.state_dir = path.into();
        self
    }

    /// Which of how many tasks this one is, from 0; else the only one.
    ///
    /// ```
    /// # use squall_core::harness::Harness;
    /// let _ = Harness::default().task(1, 2);
    /// ```
    #[must_use]
    pub fn task(mut self, index: u32, parallelism: u32) -> Self {
        (self.ctx.index, self.ctx.task, self.ctx.parallelism) = (index, index + 1, parallelism);
        self
    }

    /// Puts a bolt (a closure is one) into these surroundings and prepares it.
    ///
    /// # Errors
    /// What `prepare` returns.
    ///
    /// ```
    /// use squall_core::harness::Harness;
    /// use squall_core::{Output, Tuple};
    /// let bolt = Harness::default().bolt(|_: &Tuple<'_>, _: &mut Output<'_>| Ok(())).unwrap();
    /// assert!(bolt.emitted().is_empty());
    /// ```
    pub fn bolt(self, bolt: impl Bolt + 'static) -> Result<BoltHarness> {
        self.boxed(Box::new(bolt))
    }

    /// Makes the bolt that a configuration describes, after the checks that `squall validate` makes.
    ///
    /// # Errors
    /// What the checks or the bolt's start have to say.
    ///
    /// ```
    /// use squall_core::{BoltConfig, harness::{BoltHarness, Harness}};
    /// fn f<C: BoltConfig>() -> squall_core::Result<BoltHarness> {
    ///     Harness::default().bolt_config::<C>(serde_json::json!({"suffix": "!"}))
    /// }
    /// ```
    pub fn bolt_config<C: BoltConfig>(self, config: serde_json::Value) -> Result<BoltHarness> {
        let mut registry = Registry::default();
        registry.bolt::<C>("under test");
        self.registered_bolt(&registry, "under test", config)
    }

    /// Makes a bolt of a type from a worker's list.
    ///
    /// # Errors
    /// As [`Harness::bolt_config`], or the list has no such bolt.
    ///
    /// ```
    /// use squall_core::{Registry, harness::Harness};
    /// assert!(Harness::default().registered_bolt(&Registry::default(), "nope", serde_json::json!({})).is_err());
    /// ```
    pub fn registered_bolt(mut self, registry: &Registry, name: &str, config: serde_json::Value) -> Result<BoltHarness> {
        self.ctx.outputs = self.resolve(registry, ComponentKind::Bolt, name, &config)?.outputs;
        self.give_models();
        let bolt = registry.build_bolt(name, &config, &self.ctx)?;
        self.boxed(bolt)
    }

    /// Puts a spout into these surroundings and opens it.
    ///
    /// # Errors
    /// What `open` returns.
    ///
    /// ```
    /// use squall_core::{Spout, harness::{Harness, SpoutHarness}};
    /// fn f(spout: impl Spout + 'static) -> squall_core::Result<SpoutHarness> { Harness::default().spout(spout) }
    /// ```
    pub fn spout(mut self, spout: impl Spout + 'static) -> Result<SpoutHarness> {
        let bell = spout::Bell::new(&mut self.ctx);
        SpoutHarness::open(Box::new(spout), self.ctx, bell)
    }

    /// Makes the spout that a configuration describes, after the checks that `squall validate` makes.
    ///
    /// # Errors
    /// What the checks or the spout's start have to say.
    ///
    /// ```
    /// use squall_core::{SpoutConfig, harness::{Harness, SpoutHarness}};
    /// fn f<C: SpoutConfig>() -> squall_core::Result<SpoutHarness> {
    ///     Harness::default().spout_config::<C>(serde_json::json!({"to": 3}))
    /// }
    /// ```
    pub fn spout_config<C: SpoutConfig>(self, config: serde_json::Value) -> Result<SpoutHarness> {
        let mut registry = Registry::default();
        registry.spout::<C>("under test");
        self.registered_spout(&registry, "under test", config)
    }

    /// Makes a spout of a type from a worker's list.
    ///
    /// # Errors
    /// As [`Harness::spout_config`], or the list has no such spout.
    ///
    /// ```
    /// use squall_core::{Registry, harness::Harness};
    /// assert!(Harness::default().registered_spout(&Registry::default(), "nope", serde_json::json!({})).is_err());
    /// ```
    pub fn registered_spout(mut self, registry: &Registry, name: &str, config: serde_json::Value) -> Result<SpoutHarness> {
        self.ctx.outputs = self.resolve(registry, ComponentKind::Spout, name, &config)?.outputs;
        let bell = spout::Bell::new(&mut self.ctx);
        SpoutHarness::open(registry.build_spout(name, &config, &self.ctx)?, self.ctx, bell)
    }

    fn boxed(mut self, bolt: Box<dyn Bolt>) -> Result<BoltHarness> {
        self.give_models();
        BoltHarness::prepare(bolt, self.ctx)
    }

    fn give_models(&mut self) {
        if self.models.is_empty() {
            return;
        }
        let models = std::mem::take(&mut self.models);
        let first =
            |path: &PathBuf| ModelVersion { serial: 1, version: 1, path: Some(path.clone()), ..ModelVersion::default() };
        self.ctx.live = Models::new(models.iter().map(|(name, path)| (name.clone(), first(path))));
        self.ctx.models = Arc::new(models);
    }

    /// The checks of a submit, all findings in one text.
    fn resolve(&self, registry: &Registry, kind: ComponentKind, name: &str, config: &serde_json::Value) -> Result<Resolved> {
        let check = Check::new(&self.ctx.inputs, Some(&self.models));
        registry.check(kind, name, config, &check).map_err(|mut refused| {
            let in_config = refused.faults.iter_mut().filter(|f| !f.path.is_empty());
            in_config.for_each(|f| f.path = format!("config.{}", f.path));
            Error::user(crate::check::said(&refused.faults))
        })
    }
}

/// The declared streams: finds them by name and refuses what the engine would refuse.
struct Streams(Vec<(StreamDecl, Columns)>);

impl Streams {
    fn new(outputs: &[StreamDecl]) -> Self {
        Streams(outputs.iter().map(|s| (s.clone(), Columns::new(Arc::new(s.fields.clone())))).collect())
    }

    fn find(&self, name: &str) -> Option<StreamId> {
        self.0.iter().position(|(s, _)| s.name == name).map(|i| StreamId(i as u32))
    }

    /// Whether rows are those of the default stream.
    fn fit(&self, rows: &Slice<'_>) -> Result<()> {
        let Some((decl, _)) = self.0.first() else { return Err(Error::user("the component declares no output stream")) };
        rows.fits(&decl.fields).map_err(|e| Error::user(format!("stream `{}`: {e}", decl.name)))
    }

    /// The stream's name and the row as its columns give it back (an integer in a float field is a float).
    fn take(&mut self, stream: StreamId, task: Option<u32>, row: &[ValueRef<'_>]) -> Result<(String, Vec<Value>)> {
        let Some((decl, columns)) = self.0.get_mut(stream.0 as usize) else {
            return Err(Error::user(match stream {
                StreamId::DEFAULT => "the component declares no output stream".to_owned(),
                StreamId(n) => format!("the component declares no stream at position {n}"),
            }));
        };
        match (decl.direct, task) {
            (true, None) => return Err(Error::user(format!("stream `{}` is direct: name a task", decl.name))),
            (false, Some(_)) => return Err(Error::user(format!("stream `{}` is not direct: name no task", decl.name))),
            _ => {}
        }
        columns.clear();
        columns.push(row).map_err(|e| Error::user(format!("stream `{}`: {e}", decl.name)))?;
        let values = (0..row.len()).filter_map(|i| columns.get(0, i)).map(|v| v.to_value()).collect();
        Ok((decl.name.clone(), values))
    }
}
