//! Component types: their configuration, what they emit, and the visible list of them that a worker binary has.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::config_keys::{keys_of, read};
use crate::suggest::did_you_mean;
use crate::{Bolt, Check, Context, Error, InputStream, Result, Spout, StreamDecl};

/// A spout or a bolt.
///
/// ```
/// assert_eq!(squall_core::ComponentKind::Bolt.to_string(), "bolt");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ComponentKind {
    /// A source of tuples.
    Spout,
    /// A transformer of tuples.
    Bolt,
}

impl std::fmt::Display for ComponentKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            ComponentKind::Spout => "spout",
            ComponentKind::Bolt => "bolt",
        })
    }
}

/// The configuration of a bolt type: what stands under `config` in the topology, and what is made of it.
///
/// ```
/// use serde::Deserialize;
/// use squall_core::{Bolt, BoltConfig, Check, Context, FieldType, Output, Result, Schema, StreamDecl, Tuple};
///
/// /// Adds a suffix to every word.
/// #[derive(Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Shout { suffix: String }
///
/// impl BoltConfig for Shout {
///     const ABOUT: &'static str = "adds a suffix to every word";
///     fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
///         check.field("word", FieldType::Str)?;
///         Ok(vec![StreamDecl::default_stream(Schema::new([("word", FieldType::Str)]))])
///     }
///     fn build(self, _ctx: &Context) -> Result<Box<dyn Bolt>> {
///         Ok(Box::new(move |t: &Tuple<'_>, out: &mut Output<'_>| out.emit((format!("{}{}", t.str("word")?, self.suffix),))))
///     }
/// }
/// ```
pub trait BoltConfig: DeserializeOwned + Send + 'static {
    /// What the bolt does, in a line.
    const ABOUT: &'static str;
    /// The configuration's keys and what they mean, for `squall components`.
    const KEYS: &'static [(&'static str, &'static str)] = &[];

    /// Checks the configuration against the inputs and models, without side effects, and tells the output streams; the
    /// first is what `emit` means.
    ///
    /// # Errors
    /// What is wrong, for the user; begin the message with `` `key`: `` to have it shown at that key. What need not end the check
    /// is better said with [`Check::at`] and [`Check::fault`]: then everything shows at once.
    ///
    /// ```
    /// use squall_core::{BoltConfig, Check, Result, StreamDecl};
    /// fn f(config: &impl BoltConfig, check: &Check<'_>) -> Result<Vec<StreamDecl>> { config.outputs(check) }
    /// ```
    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>>;

    /// Makes the bolt of one task.
    ///
    /// # Errors
    /// An error stops the worker's start and is shown with the component's name.
    ///
    /// ```
    /// use squall_core::{Bolt, BoltConfig, Context, Result};
    /// fn f(config: impl BoltConfig) -> Result<Box<dyn Bolt>> { config.build(&Context::default()) }
    /// ```
    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>>;

    /// Whether its calls may block (on a disk, a server, a sleep): such a task gets a thread of its own.
    ///
    /// ```
    /// fn f(config: &impl squall_core::BoltConfig) -> bool { config.blocking() }
    /// ```
    fn blocking(&self) -> bool {
        false
    }
}

/// The configuration of a spout type; as [`BoltConfig`].
///
/// ```
/// use serde::Deserialize;
/// use squall_core::{Check, Context, FieldType, Next, Result, Schema, Spout, SpoutConfig, SpoutOutput, StreamDecl};
///
/// #[derive(Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Count { to: i64 }
/// struct Counting { at: i64, to: i64 }
///
/// impl SpoutConfig for Count {
///     const ABOUT: &'static str = "counts from 1";
///     fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
///         Ok(vec![StreamDecl::default_stream(Schema::new([("n", FieldType::Int)]))])
///     }
///     fn build(self, _: &Context) -> Result<Box<dyn Spout>> { Ok(Box::new(Counting { at: 0, to: self.to })) }
/// }
/// impl Spout for Counting {
///     fn next_tuple(&mut self, out: &mut SpoutOutput<'_>) -> Result<Next> {
///         if self.at == self.to { return Ok(Next::End); }
///         self.at += 1;
///         out.emit((self.at,))?;
///         Ok(Next::More)
///     }
/// }
/// ```
pub trait SpoutConfig: DeserializeOwned + Send + 'static {
    /// What the spout does, in a line.
    const ABOUT: &'static str;
    /// The configuration's keys and what they mean, for `squall components`.
    const KEYS: &'static [(&'static str, &'static str)] = &[];

    /// Checks the configuration, without side effects, and tells the output streams.
    ///
    /// # Errors
    /// As [`BoltConfig::outputs`].
    ///
    /// ```
    /// use squall_core::{Check, Result, SpoutConfig, StreamDecl};
    /// fn f(config: &impl SpoutConfig, check: &Check<'_>) -> Result<Vec<StreamDecl>> { config.outputs(check) }
    /// ```
    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>>;

    /// Makes the spout of one task.
    ///
    /// # Errors
    /// As [`BoltConfig::build`].
    ///
    /// ```
    /// use squall_core::{Context, Result, Spout, SpoutConfig};
    /// fn f(config: impl SpoutConfig) -> Result<Box<dyn Spout>> { config.build(&Context::default()) }
    /// ```
    fn build(self, ctx: &Context) -> Result<Box<dyn Spout>>;

    /// As [`BoltConfig::blocking`].
    ///
    /// ```
    /// fn f(config: &impl squall_core::SpoutConfig) -> bool { config.blocking() }
    /// ```
    fn blocking(&self) -> bool {
        false
    }
}

/// A component to be checked: the question a worker binary answers with `--check`.
///
/// ```
/// use squall_core::{ComponentKind, ResolveRequest};
/// let r = ResolveRequest { kind: ComponentKind::Spout, type_name: "file".into(), ..ResolveRequest::default() };
/// assert!(r.inputs.is_empty());
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ResolveRequest {
    /// A spout or a bolt.
    pub kind: ComponentKind,
    /// The component's type.
    pub type_name: String,
    /// Its configuration.
    pub config: serde_json::Value,
    /// The streams it subscribes to, as far as their fields are known.
    pub inputs: Vec<InputStream>,
    /// It subscribes to more, whose fields are not known because of a fault elsewhere.
    #[serde(default)]
    pub partial: bool,
    /// The models of the topology.
    pub models: BTreeMap<String, PathBuf>,
}

impl Default for ResolveRequest {
    fn default() -> Self {
        let config = serde_json::Value::Object(serde_json::Map::new());
        ResolveRequest {
            kind: ComponentKind::Bolt,
            type_name: String::new(),
            config,
            inputs: Vec::new(),
            partial: false,
            models: BTreeMap::new(),
        }
    }
}

/// A component that passed its check.
///
/// ```
/// assert!(squall_core::Resolved::default().outputs.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Resolved {
    /// Its output streams.
    pub outputs: Vec<StreamDecl>,
    /// Whether its tasks get threads of their own.
    pub blocking: bool,
}

/// What is wrong with a configuration, and where.
///
/// ```
/// let f = squall_core::ConfigFault { path: "emit[0]".into(), message: "unknown output".into() };
/// assert_eq!(f.path, "emit[0]");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigFault {
    /// The place under `config`, as `key.inner[2]`; empty for the component itself.
    pub path: String,
    /// What is wrong and what was expected.
    pub message: String,
}

/// A component that did not pass its check.
///
/// ```
/// assert!(squall_core::Refused::default().outputs.is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Refused {
    /// All that is wrong with it; nothing where it could not be checked wholly and what could is right.
    pub faults: Vec<ConfigFault>,
    /// The output streams it would have, if they are known all the same: what is behind it can be checked against them.
    pub outputs: Option<Vec<StreamDecl>>,
}

/// One component type as `--describe` shows it.
///
/// ```
/// assert!(squall_core::Registry::default().describe().is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeInfo {
    /// The type's name.
    pub name: String,
    /// A spout or a bolt.
    pub kind: ComponentKind,
    /// What it does.
    pub about: String,
    /// Its configuration's keys, each with its meaning where that is written down.
    pub keys: Vec<(String, String)>,
    /// Its output streams are declared in the topology (`outputs = [..]`), as it cannot know them itself: a component in
    /// another language.
    #[serde(default)]
    pub outputs_in_topology: bool,
}

/// Whoever knows component types: a [`Registry`] in this process, or a custom worker binary asked through its `--check`.
///
/// ```
/// use squall_core::{Catalog, Registry};
/// assert!(Registry::default().types().unwrap().is_empty());
/// ```
pub trait Catalog {
    /// All types.
    ///
    /// # Errors
    /// The worker binary could not be asked.
    ///
    /// ```
    /// fn f(catalog: &mut dyn squall_core::Catalog) -> usize { catalog.types().unwrap().len() }
    /// ```
    fn types(&mut self) -> Result<Vec<TypeInfo>>;

    /// Checks one component and tells its output streams.
    ///
    /// # Errors
    /// The outer error: the worker binary could not be asked; the inner: all that is wrong with the configuration.
    ///
    /// ```
    /// use squall_core::{Catalog, Refused, ResolveRequest, Resolved, Result};
    /// fn f(catalog: &mut dyn Catalog, r: &ResolveRequest) -> Result<Result<Resolved, Refused>> { catalog.resolve(r) }
    /// ```
    fn resolve(&mut self, request: &ResolveRequest) -> Result<Result<Resolved, Refused>>;
}

enum Build {
    Bolt(fn(&serde_json::Value, &Context) -> Result<Box<dyn Bolt>>),
    Spout(fn(&serde_json::Value, &Context) -> Result<Box<dyn Spout>>),
}

struct Entry {
    about: &'static str,
    keys: Option<&'static [&'static str]>,
    meanings: &'static [(&'static str, &'static str)],
    resolve: fn(&serde_json::Value, &Check<'_>) -> Result<Resolved, Refused>,
    build: Build,
}

/// The component types of a worker binary: an explicit list, made by its `main`.
///
/// ```
/// use squall_core::{Bolt, BoltConfig, Check, Context, Output, Registry, Result, StreamDecl, Tuple};
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Swallow {}
/// impl BoltConfig for Swallow {
///     const ABOUT: &'static str = "swallows everything";
///     fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> { Ok(vec![]) }
///     fn build(self, _: &Context) -> Result<Box<dyn Bolt>> {
///         Ok(Box::new(|_: &Tuple<'_>, _: &mut Output<'_>| Ok(())))
///     }
/// }
/// let mut registry = Registry::default();
/// registry.bolt::<Swallow>("swallow");
/// assert_eq!(registry.describe()[0].name, "swallow");
/// ```
#[derive(Default)]
pub struct Registry {
    types: BTreeMap<&'static str, Entry>,
}

impl Registry {
    /// Lists a bolt type under a name; a name listed before is replaced.
    ///
    /// ```
    /// fn f<C: squall_core::BoltConfig>(r: &mut squall_core::Registry) { r.bolt::<C>("mine"); }
    /// ```
    pub fn bolt<C: BoltConfig>(&mut self, name: &'static str) -> &mut Self {
        let build: fn(&serde_json::Value, &Context) -> Result<Box<dyn Bolt>> = |config, ctx| parse::<C>(config)?.build(ctx);
        let resolve = |config: &serde_json::Value, check: &Check<'_>| {
            let (config, faults) = read::<C>(config);
            resolved(config.map(|c| (c.outputs(check), c.blocking())), faults, check)
        };
        let entry = Entry { about: C::ABOUT, keys: keys_of::<C>(), meanings: C::KEYS, resolve, build: Build::Bolt(build) };
        self.types.insert(name, entry);
        self
    }

    /// Lists a spout type under a name; a name listed before is replaced.
    ///
    /// ```
    /// fn f<C: squall_core::SpoutConfig>(r: &mut squall_core::Registry) { r.spout::<C>("mine"); }
    /// ```
    pub fn spout<C: SpoutConfig>(&mut self, name: &'static str) -> &mut Self {
        let build: fn(&serde_json::Value, &Context) -> Result<Box<dyn Spout>> = |config, ctx| parse::<C>(config)?.build(ctx);
        let resolve = |config: &serde_json::Value, check: &Check<'_>| {
            let (config, faults) = read::<C>(config);
            resolved(config.map(|c| (c.outputs(check), c.blocking())), faults, check)
        };
        let entry = Entry { about: C::ABOUT, keys: keys_of::<C>(), meanings: C::KEYS, resolve, build: Build::Spout(build) };
        self.types.insert(name, entry);
        self
    }

    /// All types by name.
    ///
    /// ```
    /// assert!(squall_core::Registry::default().describe().is_empty());
    /// ```
    pub fn describe(&self) -> Vec<TypeInfo> {
        let meaning = |e: &Entry, key: &str| {
            e.meanings.iter().find(|(k, _)| *k == key).map_or(String::new(), |(_, text)| (*text).to_owned())
        };
        self.types
            .iter()
            .map(|(name, e)| TypeInfo {
                name: (*name).to_owned(),
                kind: e.kind(),
                about: e.about.to_owned(),
                keys: e.keys.unwrap_or(&[]).iter().map(|key| ((*key).to_owned(), meaning(e, key))).collect(),
                outputs_in_topology: false,
            })
            .collect()
    }

    /// Checks one component and tells its output streams.
    ///
    /// # Errors
    /// All that is wrong with it.
    ///
    /// ```
    /// use squall_core::{Check, ComponentKind, Registry};
    /// let faults = Registry::default().check(ComponentKind::Bolt, "nope", &serde_json::json!({}), &Check::default());
    /// assert_eq!(faults.unwrap_err().faults[0].message, "unknown bolt type `nope`");
    /// ```
    pub fn check(
        &self,
        kind: ComponentKind,
        name: &str,
        config: &serde_json::Value,
        check: &Check<'_>,
    ) -> Result<Resolved, Refused> {
        match self.entry(name, kind) {
            Ok(entry) => (entry.resolve)(config, check),
            Err(error) => {
                let fault = ConfigFault { path: String::new(), message: error.to_string() };
                Err(Refused { faults: vec![fault], outputs: None })
            }
        }
    }

    /// Makes the bolt of one task.
    ///
    /// # Errors
    /// No such bolt type, a configuration that does not fit, or the type's own refusal.
    ///
    /// ```
    /// use squall_core::{Context, Registry};
    /// assert!(Registry::default().build_bolt("nope", &serde_json::json!({}), &Context::default()).is_err());
    /// ```
    pub fn build_bolt(&self, name: &str, config: &serde_json::Value, ctx: &Context) -> Result<Box<dyn Bolt>> {
        match self.entry(name, ComponentKind::Bolt)?.build {
            Build::Bolt(build) => build(config, ctx),
            Build::Spout(_) => Err(Error::internal("a spout's entry in the place of a bolt's")),
        }
    }

    /// Makes the spout of one task.
    ///
    /// # Errors
    /// As [`Registry::build_bolt`].
    ///
    /// ```
    /// use squall_core::{Context, Registry};
    /// assert!(Registry::default().build_spout("nope", &serde_json::json!({}), &Context::default()).is_err());
    /// ```
    pub fn build_spout(&self, name: &str, config: &serde_json::Value, ctx: &Context) -> Result<Box<dyn Spout>> {
        match self.entry(name, ComponentKind::Spout)?.build {
            Build::Spout(build) => build(config, ctx),
            Build::Bolt(_) => Err(Error::internal("a bolt's entry in the place of a spout's")),
        }
    }

    fn entry(&self, name: &str, kind: ComponentKind) -> Result<&Entry> {
        match self.types.get(name) {
            Some(entry) if entry.kind() == kind => Ok(entry),
            Some(entry) => Err(Error::user(format!("`{name}` is a {} type, not a {kind} type", entry.kind()))),
            None => {
                let names = self.types.iter().filter(|(_, e)| e.kind() == kind).map(|(name, _)| *name);
                Err(Error::user(format!("unknown {kind} type `{name}`{}", did_you_mean(name, names))))
            }
        }
    }
}

impl Catalog for Registry {
    fn types(&mut self) -> Result<Vec<TypeInfo>> {
        Ok(self.describe())
    }

    fn resolve(&mut self, request: &ResolveRequest) -> Result<Result<Resolved, Refused>> {
        let check = Check::new(&request.inputs, Some(&request.models)).partial(request.partial);
        Ok(self.check(request.kind, &request.type_name, &request.config, &check))
    }
}

impl Entry {
    fn kind(&self) -> ComponentKind {
        match self.build {
            Build::Bolt(_) => ComponentKind::Bolt,
            Build::Spout(_) => ComponentKind::Spout,
        }
    }
}

fn parse<C: DeserializeOwned>(config: &serde_json::Value) -> Result<C> {
    serde_path_to_error::deserialize(config).map_err(|e| Error::user(format!("config.{}: {}", e.path(), e.inner())))
}

/// What a type says of its configuration, if it could be read, beside what was found before it was asked.
fn resolved(
    said: Option<(Result<Vec<StreamDecl>>, bool)>,
    mut faults: Vec<ConfigFault>,
    check: &Check<'_>,
) -> Result<Resolved, Refused> {
    let (outputs, blocking, end) = match said {
        Some((Ok(outputs), blocking)) => (Some(outputs), blocking, None),
        Some((Err(error), _)) => (None, false, Some(error)),
        None => (None, false, None),
    };
    faults.extend(check.faults(end));
    match outputs {
        Some(outputs) if faults.is_empty() => Ok(Resolved { outputs, blocking }),
        outputs => Err(Refused { faults, outputs }),
    }
}
