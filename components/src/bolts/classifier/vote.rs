//! What several classifiers say together, as scikit-learn's `VotingClassifier` counts it.

use serde::Deserialize;
use squall_core::ValueRef;
use squall_model::{Classes, Label, Model};

use super::outputs::What;

/// How the votes of several models are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Vote {
    /// Each model has one vote, for its class.
    Hard,
    /// Probabilities are averaged.
    Soft,
}

impl Vote {
    /// What it needs of each model.
    pub(super) fn needs(self) -> What {
        match self {
            Vote::Hard => What::Index,
            Vote::Soft => What::Proba,
        }
    }
}

/// `Err` tells which model has other classes than the first.
pub(super) fn same_classes(models: &[(&str, &Model)]) -> Result<(), String> {
    let Some(((first, model), others)) = models.split_first() else { return Ok(()) };
    let Some(classes) = model.classes() else { return Err(format!("model `{first}` is a {} without classes", model.kind())) };
    match others.iter().find(|(_, other)| other.classes() != Some(classes)) {
        Some((other, _)) => Err(format!("models `{first}` and `{other}` have different classes, and a vote needs the same")),
        None => Ok(()),
    }
}

/// Counts the votes on one row after the other.
#[derive(Debug, Default)]
pub(super) struct Count {
    sums: Vec<f64>,
    models: usize,
}

impl Count {
    /// Begins a row, between this many classes.
    pub(super) fn begin(&mut self, classes: usize) {
        self.sums.clear();
        self.sums.resize(classes, 0.0);
        self.models = 0;
    }

    /// Adds what one model says: the number of a class, or probabilities. None of these is no vote.
    pub(super) fn add(&mut self, said: Option<ValueRef<'_>>) {
        match said {
            Some(ValueRef::Int(class)) => {
                let place = usize::try_from(class).ok().and_then(|class| self.sums.get_mut(class));
                place.into_iter().for_each(|sum| *sum += 1.0);
            }
            Some(ValueRef::F64s(proba)) => self.sums.iter_mut().zip(proba).for_each(|(sum, p)| *sum += p),
            _ => return,
        }
        self.models += 1;
    }

    /// The class with the most, of equal ones the first, and its share.
    pub(super) fn winner<'c>(&self, classes: Option<&'c Classes>) -> Option<(ValueRef<'c>, f64)> {
        // `max_by` would give the last of equal ones.
        let (class, sum) = self.sums.iter().copied().enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a })?;
        Some((label(classes?.label(class)?), sum / self.models.max(1) as f64))
    }
}

/// A label as a field holds it.
pub(super) fn label(label: Label<'_>) -> ValueRef<'_> {
    match label {
        Label::Int(v) => ValueRef::Int(v),
        Label::Float(v) => ValueRef::Float(v),
        Label::Str(v) => ValueRef::Str(v),
        Label::Bool(v) => ValueRef::Bool(v),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equal_classes_wins() {
        let classes = Classes::Int(vec![7, 8, 9]);
        let mut count = Count::default();
        let mut winner = |said: &[ValueRef<'_>]| {
            count.begin(3);
            said.iter().for_each(|said| count.add(Some(*said)));
            count.winner(Some(&classes)).unwrap()
        };
        assert_eq!(winner(&[ValueRef::Int(2), ValueRef::Int(1)]), (ValueRef::Int(8), 0.5));
        assert_eq!(winner(&[ValueRef::Int(2), ValueRef::Int(1), ValueRef::Int(2)]), (ValueRef::Int(9), 2.0 / 3.0));
        let soft = [ValueRef::F64s(&[0.5, 0.25, 0.25]), ValueRef::F64s(&[0.0, 0.75, 0.25])];
        assert_eq!(winner(&soft), (ValueRef::Int(8), 0.5));
    }
}
