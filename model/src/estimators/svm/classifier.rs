//! SVC and NuSVC: a vote between the classes of every pair.

use ndarray::{Array2, ArrayView2};

use super::super::vector::wide;
use super::super::{Estimator, Family, Methods, Outline, math};
use super::coupling::{self, Coupling};
use super::kernel::Kernel;
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;
use crate::{Classes, Error, Kind};

pub(crate) const CLASSIFIER: Family = Family { op: "svm_classifier", classes: &["SVC", "NuSVC"], import, load };

struct Svc {
    kernel: Kernel,
    /// First vector of each class, and the end of the last.
    starts: Vec<usize>,
    /// (classes - 1) by vectors: the row `j - 1` holds class i's coefficients against class j > i,
    /// and class j's against i stand in row `i`.
    coefficients: View<f64>,
    /// One per pair, (0,1), (0,2) … in libsvm's sign.
    intercept: View<f64>,
    /// Platt's A and B per pair, where the model was trained for probabilities.
    platt: Option<(View<f64>, View<f64>)>,
    classes: Classes,
    one_versus_rest: bool,
    break_ties: bool,
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(CLASSIFIER.op, object.class());
    let classes = object.classes()?;
    let n = classes.len();
    let pairs = n.saturating_mul(n.saturating_sub(1)) / 2;
    let vectors = Kernel::import(object, builder, &mut node)?;
    node.set("decision_function_shape", &*object.word("decision_function_shape", "ovr"));
    node.set("break_ties", object.flag("break_ties", false));

    // The private attributes have libsvm's signs; the public ones are turned for two classes.
    let coefficients = object.matrix(super::dual_coef(object))?;
    if n < 2 || coefficients.dim() != (n - 1, vectors) {
        return Err(object.wrong("_dual_coef_", "does not fit the classes and support vectors"));
    }
    builder.f64(&mut node, "coefficients", coefficients.into_dyn())?;
    let intercept = object.vector("_intercept_")?;
    if intercept.len() != pairs {
        return Err(object.wrong("_intercept_", "does not fit the number of classes"));
    }
    builder.vec(&mut node, "intercept", intercept)?;
    let counts = first_of(object, &["_n_support", "n_support_"]);
    builder.i64(&mut node, "counts", object.ints(counts)?.iter().copied().collect())?;

    if object.flag("probability", false) {
        let (a, b) = (first_of(object, &["_probA", "probA_"]), first_of(object, &["_probB", "probB_"]));
        let (a_values, b_values) = (object.vector(a)?, object.vector(b)?);
        if a_values.len() != pairs || b_values.len() != pairs {
            return Err(object.wrong(a, "does not fit the number of classes"));
        }
        builder.vec(&mut node, "platt_a", a_values)?;
        builder.vec(&mut node, "platt_b", b_values)?;
    }
    node.set_classes(classes);
    Ok(node)
}

/// The first of the names an attribute had over the years.
fn first_of<'n>(object: &Obj<'_>, names: &[&'n str]) -> &'n str {
    let there = names.iter().find(|n| object.some(n).is_some());
    there.or(names.first()).copied().unwrap_or_default()
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let kernel = Kernel::load(node, store)?;
    let classes = node.need_classes()?;
    let n = classes.len();
    if n < 2 {
        return Err(node.broken("it has fewer than two classes"));
    }
    let pairs = n.saturating_mul(n - 1) / 2;
    let mut starts = vec![0usize];
    for count in store.i64(node, "counts")?.expect(node, "counts", &[n])?.slice() {
        let last = starts.last().copied().unwrap_or(0);
        let next = usize::try_from(*count).ok().and_then(|c| last.checked_add(c));
        starts.push(next.ok_or_else(|| node.broken("a class has an impossible number of vectors"))?);
    }
    if starts.last() != Some(&kernel.n_vectors()) {
        return Err(node.broken("the vectors of the classes do not add up"));
    }
    let pair_values = |role: &str| store.f64(node, role)?.expect(node, role, &[pairs]);
    let platt = match node.tensors.contains_key("platt_a") {
        true => Some((pair_values("platt_a")?, pair_values("platt_b")?)),
        false => None,
    };
    Ok(Box::new(Svc {
        starts,
        coefficients: store.f64(node, "coefficients")?.expect(node, "coefficients", &[n - 1, kernel.n_vectors()])?,
        intercept: pair_values("intercept")?,
        platt,
        classes,
        one_versus_rest: node.text("decision_function_shape")? == "ovr",
        break_ties: node.flag("break_ties"),
        kernel,
    }))
}

impl Svc {
    /// libsvm's decision values, a column per pair: positive for the first class of the pair.
    fn pairwise(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let n = self.classes.len();
        let coefficients = self.coefficients.slice();
        let vectors = self.kernel.n_vectors();
        let intercept = self.intercept.slice();
        let mut out = Array2::zeros((x.nrows(), intercept.len()));
        self.kernel.rows(x, |row, values| {
            let part = |class: usize, against: usize| {
                let (start, end) = (self.starts[class], self.starts[class + 1]);
                let line = against * vectors;
                math::dot(&coefficients[line + start..line + end], &values[start..end])
            };
            let mut out = out.row_mut(row);
            wide(|| {
                let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
                for (((i, j), out), intercept) in pairs.zip(out.iter_mut()).zip(intercept) {
                    *out = part(i, j - 1) + part(j, i) + intercept;
                }
            });
        })?;
        Ok(out)
    }

    /// A score per class: its votes, and its summed confidences squeezed below a third to part ties.
    fn votes_and_confidence(&self, pairwise: &Array2<f64>) -> Array2<f64> {
        let n = self.classes.len();
        let mut votes = Array2::zeros((pairwise.nrows(), n));
        let mut sums = vec![0.0; n];
        for (values, mut votes) in pairwise.outer_iter().zip(votes.outer_iter_mut()) {
            sums.fill(0.0);
            let mut pair = 0;
            for i in 0..n {
                for j in i + 1..n {
                    let value = values[pair];
                    sums[i] += value;
                    sums[j] -= value;
                    votes[if value < 0.0 { j } else { i }] += 1.0;
                    pair += 1;
                }
            }
            for (vote, sum) in votes.iter_mut().zip(&sums) {
                *vote += sum / (3.0 * (sum.abs() + 1.0));
            }
        }
        votes
    }
}

impl Estimator for Svc {
    fn outline(&self) -> Outline {
        let n = self.classes.len();
        let proba = self.platt.is_some();
        let scores = match n {
            2 => 1,
            _ if self.one_versus_rest => n,
            _ => self.intercept.len(),
        };
        Outline {
            kind: Kind::Classifier,
            n_features: Some(self.kernel.n_features()),
            n_outputs: if proba { n } else { scores },
            methods: Methods { predict: true, proba, decision: true, transform: false },
            takes_nan: false,
        }
    }

    fn classes(&self) -> Option<&Classes> {
        Some(&self.classes)
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        let n = self.classes.len();
        if self.break_ties && self.one_versus_rest && n > 2 {
            math::decide(&self.decision(x)?, out);
            return Ok(());
        }
        let mut votes = vec![0u32; n];
        for values in self.pairwise(x)?.outer_iter() {
            votes.fill(0);
            let mut pair = 0;
            for i in 0..n {
                for j in i + 1..n {
                    // A tie of the pair goes to the second, a tie of the vote to the first.
                    votes[if values[pair] > 0.0 { i } else { j }] += 1;
                    pair += 1;
                }
            }
            let mut best = 0;
            for i in 1..n {
                if votes[i] > votes[best] {
                    best = i;
                }
            }
            out.push(best as u32);
        }
        Ok(())
    }

    fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let pairwise = self.pairwise(x)?;
        Ok(match self.classes.len() {
            2 => -pairwise,
            _ if self.one_versus_rest => self.votes_and_confidence(&pairwise),
            _ => pairwise,
        })
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let Some((a, b)) = &self.platt else {
            return super::super::unannounced();
        };
        let (a, b) = (a.slice(), b.slice());
        let n = self.classes.len();
        let mut coupling = Coupling::new(n);
        let mut r = vec![0.0; n * n];
        let mut p = vec![0.0; n];
        let pairwise = self.pairwise(x)?;
        let mut out = Array2::zeros((x.nrows(), n));
        for (values, mut row) in pairwise.outer_iter().zip(out.outer_iter_mut()) {
            let mut pair = 0;
            for i in 0..n {
                for j in i + 1..n {
                    let first = coupling::platt(values[pair], a[pair], b[pair]);
                    r[i * n + j] = first;
                    r[j * n + i] = 1.0 - first;
                    pair += 1;
                }
            }
            coupling.solve(&r, &mut p);
            row.iter_mut().zip(&p).for_each(|(out, p)| *out = *p);
        }
        Ok(out)
    }
}
