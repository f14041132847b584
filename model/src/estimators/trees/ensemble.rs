//! Summed trees, and what their sums mean.

use ndarray::{Array2, ArrayView2};

use super::super::{Estimator, Family, Methods, Outline, math, numbers_of};
use super::flat::Flat;
use crate::artefact::{Node, Store, View};
use crate::{Classes, Error, Kind};

/// Trees of whatever origin: their importers have other names, and they are all loaded as this.
pub(crate) const ENSEMBLE: Family = Family {
    op: "trees",
    classes: &[],
    import: |object, _| Err(Error::unsupported(object.class(), "it is no model by itself")),
    load,
};

/// From the sum of a row to its answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Link {
    /// The sum over the number of trees: probabilities, or values.
    Mean,
    /// The sum itself.
    Identity,
    /// A logistic function of the one sum, scaled.
    Logistic { factor: f64 },
    /// The same where the answer is the number and not a class, or where each class has a sum of its own.
    Sigmoid { factor: f64 },
    /// Softmax of a sum per class.
    Softmax,
    /// The exponential of the sum: losses of counts.
    Exp,
    /// The sum is a path length; short ones are outliers.
    Isolation { denominator: f64, offset: f64 },
}

impl Link {
    pub(crate) fn store(self, node: &mut Node) {
        let name = match self {
            Link::Mean => "mean",
            Link::Identity => "identity",
            Link::Logistic { factor } => {
                node.set_f64("factor", factor);
                "logistic"
            }
            Link::Sigmoid { factor } => {
                node.set_f64("factor", factor);
                "sigmoid"
            }
            Link::Softmax => "softmax",
            Link::Exp => "exp",
            Link::Isolation { denominator, offset } => {
                node.set_f64("denominator", denominator);
                node.set_f64("offset", offset);
                "isolation"
            }
        };
        node.set("link", name);
    }

    fn load(node: &Node) -> Result<Link, Error> {
        Ok(match node.text("link")? {
            "mean" => Link::Mean,
            "identity" => Link::Identity,
            "logistic" => Link::Logistic { factor: node.f64("factor")? },
            "sigmoid" => Link::Sigmoid { factor: node.f64("factor")? },
            "softmax" => Link::Softmax,
            "exp" => Link::Exp,
            "isolation" => Link::Isolation { denominator: node.f64("denominator")?, offset: node.f64("offset")? },
            _ => return Err(node.broken("its link is unknown")),
        })
    }
}

struct Ensemble {
    flat: Flat,
    kind: Kind,
    link: Link,
    n_features: usize,
    /// Rows are rounded to 32 bits before they are compared, as the trees were trained.
    narrow: bool,
    takes_nan: bool,
    /// What sums begin with, per column.
    base: View<f64>,
    /// A score of exactly 0 means the second class.
    zero_is_second: bool,
    classes: Option<Classes>,
    /// In place of `classes`, where there are several targets; their columns stand side by side.
    targets: Option<Vec<Classes>>,
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let n_features = node.n_features.ok_or_else(|| node.broken("its number of features is missing"))?;
    let flat = Flat::load(node, store, n_features)?;
    let base = store.f64(node, "base")?;
    if flat.trees() == 0 || base.len() == 0 || !base.len().is_multiple_of(flat.width()) {
        return Err(node.broken("its trees do not fit its outputs"));
    }
    let kind = node.kind()?;
    let link = Link::load(node)?;
    let targets = node.targets()?.filter(|_| kind == Kind::Classifier);
    let classes = match kind {
        Kind::Classifier if targets.is_none() => Some(node.need_classes()?),
        _ => None,
    };
    let fits = match (&classes, link) {
        _ if targets.is_some() => link == Link::Mean && targets.iter().flatten().map(Classes::len).sum::<usize>() == base.len(),
        (Some(c), Link::Mean | Link::Softmax | Link::Sigmoid { .. }) => base.len() == c.len(),
        (Some(c), Link::Logistic { .. }) => base.len() == 1 && c.len() == 2,
        (Some(_), _) => false,
        (None, Link::Isolation { .. }) => base.len() == 1,
        (None, _) => true,
    };
    if !fits {
        return Err(node.broken("its outputs do not fit its classes"));
    }
    Ok(Box::new(Ensemble {
        flat,
        kind,
        link,
        n_features,
        narrow: node.flag("narrow"),
        takes_nan: node.flag("takes_nan"),
        base,
        zero_is_second: node.flag("zero_is_second"),
        classes,
        targets,
    }))
}

impl Ensemble {
    fn sums(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let base = self.base.vector();
        let mut out = Array2::zeros((x.nrows(), base.len()));
        out += &base;
        let groups = base.len() / self.flat.width().max(1);
        self.flat.add(x, self.narrow, groups, &mut out);
        out
    }

    /// The sums as values, scores or probabilities of the ensemble's own kind.
    fn linked(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut sums = self.sums(x);
        match self.link {
            Link::Mean => sums /= self.flat.trees() as f64,
            Link::Identity | Link::Logistic { .. } | Link::Softmax => {}
            Link::Exp => sums.mapv_inplace(f64::exp),
            // Of classes it is their probability, and comes later.
            Link::Sigmoid { factor } if self.classes.is_none() => sums.mapv_inplace(|v| math::expit(factor * v)),
            Link::Sigmoid { .. } => {}
            Link::Isolation { denominator, offset } => {
                // A forest grown from single rows has no lengths to compare with.
                sums.mapv_inplace(|depth| {
                    let ratio = if denominator == 0.0 { 1.0 } else { depth / denominator };
                    -(-ratio).exp2() - offset
                });
            }
        }
        sums
    }
}

impl Estimator for Ensemble {
    fn outline(&self) -> Outline {
        let classifier = self.classes.is_some() || self.targets.is_some();
        Outline {
            kind: self.kind,
            n_features: Some(self.n_features),
            n_outputs: match (&self.classes, &self.targets) {
                (Some(classes), _) => classes.len(),
                (None, Some(targets)) => targets.len(),
                (None, None) => self.base.len(),
            },
            methods: Methods {
                predict: true,
                proba: classifier,
                decision: matches!(self.link, Link::Isolation { .. }) || (classifier && self.link != Link::Mean),
                transform: false,
            },
            takes_nan: self.takes_nan,
        }
    }

    fn classes(&self) -> Option<&Classes> {
        self.classes.as_ref()
    }

    fn targets(&self) -> Option<&[Classes]> {
        self.targets.as_deref()
    }

    fn indices(&self, x: ArrayView2<'_, f64>, out: &mut Vec<u32>) -> Result<(), Error> {
        let scores = self.linked(x);
        if let Some(targets) = &self.targets {
            math::decide_each(&scores, targets, out);
        } else if scores.ncols() == 1 && self.zero_is_second {
            out.extend(scores.iter().map(|v| u32::from(*v >= 0.0)));
        } else {
            math::decide(&scores, out);
        }
        Ok(())
    }

    fn values(&self, x: ArrayView2<'_, f64>, out: &mut Vec<f64>) -> Result<(), Error> {
        if let Some(targets) = &self.targets {
            return numbers_of(self, targets, x, out);
        }
        let values = self.linked(x);
        if let Link::Isolation { .. } = self.link {
            out.extend(values.iter().map(|v| if *v < 0.0 { -1.0 } else { 1.0 }));
        } else {
            out.extend(values);
        }
        Ok(())
    }

    fn decision(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        Ok(self.linked(x))
    }

    fn proba(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut scores = self.linked(x);
        match self.link {
            Link::Logistic { factor } => {
                scores *= factor;
                return Ok(math::one_versus_rest(scores));
            }
            Link::Softmax => math::softmax_rows(&mut scores),
            // Each class by itself, without a common sum.
            Link::Sigmoid { factor } => scores.mapv_inplace(|v| math::expit(factor * v)),
            _ => {}
        }
        Ok(scores)
    }
}
