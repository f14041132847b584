//! scikit-learn's `Tree`: an array of structures, and an array of values.

use ndarray::ArrayD;

use super::flat::{FlatBuilder, Step};
use crate::Error;
use crate::import::Obj;

/// The parts of a fitted tree that scoring needs.
pub(crate) struct Tree {
    left: Vec<i64>,
    right: Vec<i64>,
    feature: Vec<i64>,
    threshold: Vec<f64>,
    missing_left: Vec<i64>,
    /// Since 1.3 every split says where missing values go; before, trees took none.
    pub(crate) takes_missing: bool,
    /// Training rows that reached each node.
    pub(crate) samples: Vec<i64>,
    /// Nodes by outputs by classes (one for regression).
    pub(crate) values: ArrayD<f64>,
}

impl Tree {
    /// Reads `tree_` of a fitted estimator.
    pub(crate) fn of(estimator: &Obj<'_>) -> Result<Tree, Error> {
        let wrong = |what: &str| estimator.wrong("tree_", what);
        let tree = estimator.object("tree_")?;
        let nodes = tree.need("nodes")?;
        let ints = |name: &str| nodes.column_ints(name).ok_or_else(|| wrong("has nodes of an unknown layout"));
        let left = ints("left_child")?;
        let count = left.len();
        let values = tree.floats("values")?;
        if values.ndim() != 3 || values.shape()[0] != count {
            return Err(wrong("has values that do not fit its nodes"));
        }
        let missing = nodes.column_ints("missing_go_to_left");
        Ok(Tree {
            right: ints("right_child")?,
            feature: ints("feature")?,
            threshold: nodes.column_floats("threshold").ok_or_else(|| wrong("has nodes of an unknown layout"))?,
            takes_missing: missing.is_some(),
            missing_left: missing.unwrap_or_else(|| vec![0; count]),
            samples: ints("n_node_samples")?,
            left,
            values,
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.left.len()
    }

    fn step(&self, i: usize) -> Step {
        let at = |v: &[i64]| usize::try_from(v[i]).unwrap_or(usize::MAX);
        if self.left[i] < 0 {
            return Step::Leaf;
        }
        Step::Split {
            feature: at(&self.feature),
            threshold: self.threshold[i],
            left: at(&self.left),
            right: at(&self.right),
            missing_left: self.missing_left[i] != 0,
        }
    }

    /// Adds it to `flat`. `features` says which column each feature is, where the tree saw only some.
    pub(crate) fn flatten(
        &self,
        flat: &mut FlatBuilder,
        features: Option<&[i64]>,
        leaf: impl FnMut(usize, &mut Vec<f64>),
    ) -> Result<(), String> {
        let step = |i: usize| match (self.step(i), features) {
            (Step::Split { feature, threshold, left, right, missing_left }, Some(features)) => {
                let column = features.get(feature).and_then(|f| usize::try_from(*f).ok());
                Step::Split { feature: column.unwrap_or(usize::MAX), threshold, left, right, missing_left }
            }
            (step, _) => step,
        };
        flat.push(self.count(), step, leaf)
    }

    /// All values of a node.
    pub(crate) fn node_values(&self, i: usize) -> impl Iterator<Item = f64> + '_ {
        self.values.index_axis(ndarray::Axis(0), i).into_iter().copied()
    }

    /// Depth of each node; the root has 0.
    pub(crate) fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.count()];
        // Children of scikit-learn's trees come after their parents; others are refused by `flatten`.
        for i in 0..self.count() {
            for child in [self.left[i], self.right[i]] {
                if let Ok(child) = usize::try_from(child)
                    && child > i
                    && child < depths.len()
                {
                    depths[child] = depths[i] + 1;
                }
            }
        }
        depths
    }
}
