//! What a Squall bolt author sees: tuples, schemas, spouts, bolts and outputs; and what the daemons agree on: topologies,
//! plans, and the messages between them. No I/O and no threads in here.
//!
//! A bolt has one required method, [`Bolt::execute`]; a closure will do. See [`BoltConfig`] for how it is configured and
//! [`Registry`] for how a worker binary lists it.
#![warn(missing_docs)]

#[cfg(target_endian = "big")]
compile_error!("columns travel as little-endian blocks and are copied as they are; big-endian machines need a swap in wire/");

mod bolt;
mod check;
mod column;
mod component;
mod config_keys;
mod context;
mod error;
mod grouping;
mod histogram;
mod lineage;
mod model_numbers;
mod models;
mod output;
mod plan;
mod row;
mod schema;
mod slice;
mod source;
mod spout;
mod tuple;
mod value;

pub mod control;
pub mod harness;
pub mod key;
pub mod layout;
pub mod openmetrics;
pub mod suggest;
pub mod topology;
pub mod units;
pub mod wire;

pub use bolt::Bolt;
pub use check::Check;
pub use column::Columns;
pub use component::{
    BoltConfig, Catalog, ComponentKind, ConfigFault, Refused, Registry, ResolveRequest, Resolved, SpoutConfig, TypeInfo,
};
pub use context::{Context, Counter, Metrics};
pub use error::{Error, Fault, Result};
pub use grouping::{Grouping, InputStream};
pub use histogram::Histogram;
pub use lineage::{Edge, Edges, Lineage, Root, Run};
pub use model_numbers::{ModelMeter, ModelNumbers, Scores};
pub use models::{Followed, Models};
pub use output::{Emit, Held, Output, Sink, StreamId};
pub use plan::{Plan, PlannedComponent, PlannedModel, Settings};
pub use row::{IntoValue, Row};
pub use schema::{DEFAULT_STREAM, Field, Schema, StreamDecl};
pub use slice::Slice;
pub use source::{AsyncSource, AsyncSpout};
pub use spout::{Next, Spout, SpoutOutput, SpoutSink};
pub use tuple::{Batch, Source, Tuple};
pub use value::{FieldType, Value, ValueRef};
