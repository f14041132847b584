//! `transform`: a model that makes new features of features: a PCA, a scaler.

use std::sync::Arc;
use std::time::Instant;

use serde::Deserialize;
use squall_core::{
    Batch, Bolt, BoltConfig, Check, Context, Error, Field, FieldType, Followed, ModelMeter, Output, Result, StreamDecl, Tuple,
    ValueRef,
};
use squall_model::Model;

use crate::support::features::{Features, Gathered, Reader};
use crate::support::{answers::Answers, at, models, schemas};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    model: String,
    features: Features,
    #[serde(default = "features")]
    output: String,
    #[serde(default)]
    pass: Vec<String>,
}

fn features() -> String {
    "features".to_owned()
}

impl BoltConfig for Config {
    const ABOUT: &'static str = "new features by a model that transforms (PCA, scaler): the fields passed on, then a vector";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("model", "the model's name in the topology"),
        (
            "features",
            "a vector field, or a list of fields, by the names of the model's features or in their order; a text field for a model of texts",
        ),
        ("output", "name of the vector field that is emitted; `features` unless given"),
        ("pass", "input fields to pass on before it"),
    ];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        let mut fields = schemas::passed(check, "pass", &self.pass);
        let model = models::check(check, "model", &self.model)?;
        if !model.has_transform() {
            let Config { model: name, .. } = self;
            return Err(at("model", format!("`{name}` is a {} and transforms nothing: use `classifier`", model.kind())));
        }
        check.noted(self.features.check(check, &self.model, &model));
        let width = u32::try_from(model.n_outputs()).map_err(|_| at("model", "too many outputs"))?;
        fields.push(Field::new(&self.output, FieldType::F64s(Some(width))));
        Ok(vec![StreamDecl::default_stream(schemas::distinct(check, fields, "set `output` to another name"))])
    }

    fn build(self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        let (name, features, inputs) = (self.model.clone(), self.features.clone(), ctx.inputs.clone());
        let (output, metrics) =
            (ctx.outputs.first().and_then(|o| o.fields.field(&self.output)).map(|f| f.kind), ctx.metrics.clone());
        let model = models::follow(ctx, &self.model, move |model, version| {
            // What the topology was checked with must hold for every version.
            let check = Check::new(&inputs, None);
            features.check(&check, &name, &model)?;
            check.verdict()?;
            let kind = FieldType::F64s(u32::try_from(model.n_outputs()).ok());
            match output.filter(|o| *o != kind) {
                _ if !model.has_transform() => Err(Error::user(format!("model `{name}`: it transforms nothing"))),
                Some(o) => Err(Error::user(format!("model `{name}`: it gives {kind}, but the topology was checked with {o}"))),
                None => {
                    let reader = features.reader(&name, &model)?;
                    Ok(Ready { model, reader, meter: metrics.model(&name, version.version) })
                }
            }
        })?;
        let answers = Answers::new(ctx);
        Ok(Box::new(Transform { config: self, model, gathered: Gathered::default(), positions: Vec::new(), answers }))
    }
}

/// A version in the hands of a task.
struct Ready {
    model: Arc<Model>,
    reader: Reader,
    meter: ModelMeter,
}

struct Transform {
    config: Config,
    model: Followed<Ready>,
    gathered: Gathered,
    positions: Vec<usize>,
    answers: Answers,
}

impl Transform {
    fn rows(&mut self, batch: &Batch, rows: std::ops::Range<usize>, out: &mut Output<'_>) -> Result<()> {
        self.model.turn();
        schemas::positions(batch, &self.config.pass, &mut self.positions)?;
        let Ready { model, reader, meter } = &*self.model;
        let (asked, begun) = (rows.len() as u64, Instant::now());
        let mut matrix = None;
        let scored = reader.score(batch, rows, &mut self.gathered, &mut |x| {
            matrix = Some(model.transform(x)?);
            Ok(())
        });
        let good = scored.as_ref().map_or(0, |scored| *scored as u64);
        meter.batch(good, asked - good, begun.elapsed().as_nanos() as u64);
        scored?;
        for (row, reason) in &self.gathered.bad {
            batch.tuple(*row).iter().for_each(|tuple| out.fail_tuple(tuple, &Error::user(reason.as_str())));
        }
        let Some(matrix) = matrix.filter(|_| good > 0) else { return Ok(()) };
        let matrix = matrix.as_standard_layout();
        let mut values = Vec::with_capacity(self.positions.len() + 1);
        self.answers.begin();
        for (row, features) in self.gathered.good.iter().zip(matrix.rows()) {
            let (Some(tuple), Some(features)) = (batch.tuple(*row), features.to_slice()) else { continue };
            values.clear();
            values.extend(self.positions.iter().map(|i| tuple.at(*i).unwrap_or(ValueRef::Nil)));
            values.push(ValueRef::F64s(features));
            self.answers.push(batch, *row, &values, out)?;
        }
        self.answers.emit(batch, out)
    }
}

impl Bolt for Transform {
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
        self.rows(tuple.batch(), tuple.row()..tuple.row() + 1, out)
    }

    fn execute_batch(&mut self, batch: &Batch, out: &mut Output<'_>) -> Result<()> {
        self.rows(batch, 0..batch.len(), out)
    }
}

#[cfg(test)]
mod tests {
    use squall_core::harness::{BoltHarness, Harness};
    use squall_core::{Schema, Value};

    use super::*;
    use crate::support::models::tests::artefact;

    fn bolt(dir: &std::path::Path, model: &str, width: u32) -> Result<BoltHarness> {
        let input = Schema::new([("label", FieldType::Int), ("pixels", FieldType::F64s(Some(width)))]);
        let config = serde_json::json!({"model": "m", "features": "pixels", "output": "pca", "pass": ["label"]});
        Harness::default().input(input).model("m", artefact(dir, model)).bolt_config::<Config>(config)
    }

    #[test]
    fn a_pca_makes_fewer_features_and_a_bad_row_fails_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut bolt = bolt(dir.path(), "digits-pca", 64).unwrap();
        let model = Model::open(bolt.context().model("m").unwrap()).unwrap();
        let schema = bolt.context().outputs[0].fields.to_string();
        assert_eq!(schema, format!("label: int, pca: f64[{}]", model.n_outputs()));
        let mut nan = vec![1.0; 64];
        nan[3] = f64::NAN;
        bolt.feed([(7, vec![1.0; 64]), (8, nan), (9, vec![2.0; 64])]).unwrap();
        assert_eq!(bolt.failed(), [(1, "`pixels` has a number that is not finite at position 3".to_owned())]);
        assert_eq!(bolt.acked(), [0, 2]);
        let expected = model.transform(ndarray::Array2::from_elem((1, 64), 2.0).view().into()).unwrap();
        assert_eq!(bolt.emitted()[1].values, [Value::Int(9), Value::F64s(expected.iter().copied().collect())]);
        assert_eq!(bolt.emitted()[1].anchors, [2]);
    }

    #[test]
    fn width_and_model_are_checked() {
        let dir = tempfile::tempdir().unwrap();
        let error = bolt(dir.path(), "digits-pca", 63).err().unwrap().to_string();
        assert!(error.starts_with("config.features: model `m` takes 64 features, but `pixels` of `input` has 63"), "{error}");
        let error = bolt(dir.path(), "digits-logistic", 64).err().unwrap().to_string();
        assert!(error.starts_with("config.model: `m` is a classifier and transforms nothing"), "{error}");
    }
}
