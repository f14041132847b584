//! `classifier`: labels, probabilities and scores by a model, or by several.

mod outputs;
mod ready;
mod sample;
mod vote;

use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use squall_core::control::ModelVersion;
use squall_core::{
    Batch, Bolt, BoltConfig, Check, Context, Counter, Error, Field, FieldType, Followed, Output, Result, StreamDecl, StreamId,
    Tuple, ValueRef,
};
use squall_model::Model;

use crate::support::features::{Features, Gathered};
use crate::support::{answers::Answers, at, models, schemas};
use outputs::{Emit, What};
use ready::{Fit, Ready};
use vote::{Count, Vote};

/// The stream of rows that cannot be scored.
const INVALID: &str = "invalid";

/// The fields of a vote.
const LABEL: &str = "label";
const CONFIDENCE: &str = "confidence";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    models: Vec<String>,
    #[serde(default)]
    vote: Option<Vote>,
    features: Features,
    #[serde(default)]
    emit: Option<Emit>,
    #[serde(default)]
    pass: Vec<String>,
    #[serde(default)]
    top: Option<u32>,
    #[serde(default)]
    threshold: Option<f64>,
    #[serde(default)]
    invalid: bool,
    #[serde(skip)]
    scoring: Scoring,
}

/// How scores become outputs.
#[derive(Debug, Clone, Copy, Default)]
struct Scoring {
    /// How many classes `top` has.
    top: usize,
    threshold: Option<f64>,
}

impl Scoring {
    /// Below it a row is an anomaly: scikit-learn's detectors put it at zero.
    fn threshold(self) -> f64 {
        self.threshold.unwrap_or(0.0)
    }
}

/// Classes in `top` unless the configuration says otherwise.
const TOP: u32 = 3;

impl BoltConfig for Config {
    const ABOUT: &'static str =
        "scores every tuple with a model, or with several: the fields passed on, then what `emit` lists";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        ("model", "the model's name in the topology"),
        (
            "models",
            "in place of `model`, several that all score every tuple; the model's name stands before the names of their outputs, as in \
             `forest_label`",
        ),
        (
            "vote",
            "hard or soft: `label` by the majority of the models or by their mean probabilities, and its share as `confidence`, before \
             what `emit` lists of each; no vote unless given",
        ),
        (
            "features",
            "a vector field, or a list of fields, by the names of the model's features or in their order; a text field for a model of texts",
        ),
        (
            "emit",
            "a list of label, proba, decision, scores (proba, or decision where there is none), confidence, index, value; \
             anomaly, top, model, version, checksum; or a table that names them, such as { label = \"prediction\" }; label unless \
             given, value for regressors",
        ),
        ("pass", "input fields to pass on before them"),
        ("top", "how many classes `top` lists, each with label and proba; 3 unless given"),
        ("threshold", "a row whose decision value is below it is an anomaly; 0 unless given, as in scikit-learn"),
        ("invalid", "send rows that cannot be scored to the stream `invalid`, instead of failing them; false unless given"),
    ];

    fn outputs(&self, check: &Check<'_>) -> Result<Vec<StreamDecl>> {
        let pass = schemas::passed(check, "pass", &self.pass);
        if self.top == Some(0) {
            check.fault("top", "no class would be listed: expected at least 1");
        }
        if self.threshold.is_some_and(|t| !t.is_finite()) {
            check.fault("threshold", "`threshold` must be a finite number");
        }
        // What is emitted is known only if all of it is right; what is behind cannot be checked against less.
        let mut known = outputs::are_names(self.emit.as_ref(), check);
        let emit_is_read = known;
        let named = check.noted(self.names()).ok_or_else(|| check.stop())?;
        let asked = named.len();
        let open = |(key, name): (String, _)| Some((name, check.noted(models::check(check, &key, name))?));
        let models: Vec<(&str, Arc<Model>)> = named.into_iter().filter_map(open).collect();
        known &= models.len() == asked;
        let mut fields = pass.clone();
        if let Some(vote) = self.vote {
            // Where no model can be read, that has been said.
            let votes = || check.noted(self.votes(vote, &models).map_err(|e| at("vote", e)));
            let label = if models.is_empty() { None } else { votes() };
            known &= label.is_some();
            fields.extend(label.map(|kind| Field::new(LABEL, kind)));
            fields.push(Field::new(CONFIDENCE, FieldType::Float));
        }
        let mut used = Vec::new();
        for (name, model) in &models {
            let width = check.noted(self.features.check(check, name, model)).flatten();
            let emitted = if emit_is_read { check.noted(self.emitted(name, model)) } else { None };
            known &= emitted.is_some();
            for (key, what, field) in emitted.unwrap_or_default() {
                match what.kind(model, name, width) {
                    Ok(kind) => fields.push(Field::new(field, kind)),
                    Err(fault) => {
                        check.fault(&key, fault);
                        known = false;
                    }
                }
                used.push(what);
            }
        }
        for (key, given, what) in
            [("top", self.top.is_some(), What::Top), ("threshold", self.threshold.is_some(), What::Anomaly)]
        {
            if given && emit_is_read && !models.is_empty() && !used.contains(&what) {
                check.fault(key, format!("nothing uses `{key}`: emit `{}` too", what.name()));
            }
        }
        if !known {
            return Err(check.stop());
        }
        let remedy = "name what is emitted, such as emit = { label = \"prediction\" }";
        let mut streams = vec![StreamDecl::default_stream(schemas::distinct(check, fields, remedy))];
        if self.invalid {
            let fields = pass.into_iter().chain([Field::new("error", FieldType::Str)]).collect();
            streams.push(StreamDecl::named(INVALID, schemas::distinct(check, fields, "do not pass `error` on")));
        }
        Ok(streams)
    }

    fn build(mut self, ctx: &Context) -> Result<Box<dyn Bolt>> {
        self.scoring = Scoring { top: self.top.unwrap_or(TOP) as usize, threshold: self.threshold };
        let pass = self.pass.clone();
        let invalid = if self.invalid { Some(ctx.stream(INVALID)?) } else { None };
        let (config, fit) = (Arc::new(self), Arc::new(Fit::of(ctx)));
        let mut members = Vec::new();
        for (_, name) in config.names()? {
            let (config, fit, owned) = (config.clone(), fit.clone(), name.to_owned());
            let make = move |model, version: &ModelVersion| Ready::new(&config, &owned, &fit, model, version);
            members.push(Member { model: models::follow(ctx, name, make)?, gathered: Gathered::default() });
        }
        Ok(Box::new(Classifier {
            members,
            vote: config.vote,
            pass,
            invalid,
            refused: ctx.metrics.counter("invalid rows"),
            positions: Vec::new(),
            count: Count::default(),
            answers: Answers::new(ctx),
        }))
    }
}

impl Config {
    /// The models, each with its key in the configuration.
    fn names(&self) -> Result<Vec<(String, &str)>> {
        match (&self.model, self.models.as_slice()) {
            (Some(name), []) => Ok(vec![("model".to_owned(), name)]),
            (None, [_, ..]) => {
                Ok(self.models.iter().enumerate().map(|(i, name)| (format!("models[{i}]"), name.as_str())).collect())
            }
            (None, []) => Err(at("model", "missing: name a model of the topology, or several as `models`")),
            (Some(_), _) => Err(at("models", "there is `model` too: give one of them")),
        }
    }

    /// The type of the label that these models vote for.
    fn votes(&self, vote: Vote, models: &[(&str, Arc<Model>)]) -> Result<FieldType, String> {
        let voters: Vec<(&str, &Model)> = models.iter().map(|(name, model)| (*name, &**model)).collect();
        vote::same_classes(&voters)?;
        for (name, model) in &voters {
            vote.needs().kind(model, name, None)?;
        }
        let (name, first) = voters.first().ok_or("no model that votes can be read")?;
        What::Label.kind(first, name, None)
    }

    /// What is emitted of a model: its place in the configuration, what it is, and the field it goes to.
    fn emitted(&self, name: &str, model: &Model) -> Result<Vec<(String, What, String)>> {
        if self.vote.is_some() && self.emit.is_none() {
            return Ok(Vec::new());
        }
        let mut emitted = outputs::resolve(self.emit.as_ref(), model)?;
        if !self.models.is_empty() {
            emitted.iter_mut().for_each(|(_, _, field)| *field = format!("{name}_{field}"));
        }
        Ok(emitted)
    }
}

struct Classifier {
    members: Vec<Member>,
    vote: Option<Vote>,
    count: Count,
    pass: Vec<String>,
    invalid: Option<StreamId>,
    refused: Counter,
    positions: Vec<usize>,
    answers: Answers,
}

/// One of the models that score every row.
struct Member {
    model: Followed<Ready>,
    gathered: Gathered,
}

impl Member {
    /// Whether a row is the one at this place among those that it scored.
    fn scored(&self, row: usize, at: usize) -> bool {
        self.gathered.good.get(at) == Some(&row)
    }

    /// Why it did not score a row.
    fn reason(&self, row: usize) -> &str {
        let bad = &self.gathered.bad;
        bad.binary_search_by_key(&row, |(row, _)| *row).map_or("it was not scored", |i| &bad[i].1)
    }
}

impl Classifier {
    /// Scores these rows of a batch at once.
    fn rows(&mut self, batch: &Batch, rows: Range<usize>, out: &mut Output<'_>) -> Result<()> {
        schemas::positions(batch, &self.pass, &mut self.positions)?;
        for member in &mut self.members {
            member.model.turn();
            member.model.score(batch, rows.clone(), &mut member.gathered)?;
        }
        let members = self.members.as_slice();
        let outputs = members.iter().map(|m| m.model.what.len()).sum::<usize>();
        let mut row = Vec::with_capacity(self.positions.len() + 2 + outputs);
        // How many rows each model has scored before this one: the place of this one, if it scored it.
        let mut places = vec![0; members.len()];
        self.answers.begin();
        for index in rows {
            let Some(tuple) = batch.tuple(index) else { continue };
            row.clear();
            // The tuple is borrowed from the batch, which outlives the row.
            row.extend(self.positions.iter().map(|i| batch.columns().get(tuple.row(), *i).unwrap_or(ValueRef::Nil)));
            if let Some(refusing) = members.iter().zip(&places).position(|(m, at)| !m.scored(index, *at)) {
                self.refused.add(1);
                self.refuse(&tuple, members[refusing].reason(index), &mut row, out)?;
                members.iter().zip(&mut places).for_each(|(m, at)| *at += usize::from(m.scored(index, *at)));
                continue;
            }
            if let (Some(vote), Some(first)) = (self.vote, members.first()) {
                let classes = first.model.model.classes();
                self.count.begin(classes.map_or(0, squall_model::Classes::len));
                for (m, at) in members.iter().zip(&places) {
                    self.count.add(m.model.get(vote.needs(), *at, m.gathered.good.len()));
                }
                let winner = self.count.winner(classes);
                let (label, share) = winner.ok_or_else(|| Error::internal("a vote without a winner"))?;
                row.extend([label, ValueRef::Float(share)]);
            }
            for (member, at) in members.iter().zip(&places) {
                for what in &member.model.what {
                    let value = member.model.get(*what, *at, member.gathered.good.len());
                    row.push(value.ok_or_else(|| Error::internal(format!("the model gave no {}", what.name())))?);
                }
            }
            self.answers.push(batch, index, &row, out)?;
            places.iter_mut().for_each(|at| *at += 1);
        }
        self.answers.emit(batch, out)
    }

    /// A row that some model does not take fails, or goes to a stream of its own; `passed` are the fields passed on.
    fn refuse<'r>(
        &self,
        tuple: &Tuple<'_>,
        reason: &'r str,
        passed: &mut Vec<ValueRef<'r>>,
        out: &mut Output<'_>,
    ) -> Result<()> {
        match self.invalid {
            None => out.fail_tuple(tuple, &Error::user(reason)),
            Some(stream) => {
                passed.push(ValueRef::Str(reason));
                out.on(stream).anchored_to(tuple).row(&passed[..])?;
            }
        }
        Ok(())
    }
}

impl Bolt for Classifier {
    fn execute(&mut self, tuple: &Tuple<'_>, out: &mut Output<'_>) -> Result<()> {
        self.rows(tuple.batch(), tuple.row()..tuple.row() + 1, out)
    }

    fn execute_batch(&mut self, batch: &Batch, out: &mut Output<'_>) -> Result<()> {
        self.rows(batch, 0..batch.len(), out)
    }
}

#[cfg(test)]
mod tests;
