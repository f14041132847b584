//! `PolynomialFeatures`: products of features up to a degree.

use ndarray::{Array2, ArrayView2};

use super::super::{Estimator, Family, Outline};
use crate::Error;
use crate::artefact::{Builder, Node, Store};
use crate::import::Obj;

pub(crate) const POLYNOMIAL: Family = Family { op: "polynomial", classes: &["PolynomialFeatures"], import, load };

struct Polynomial {
    n_features: usize,
    /// Which features each output multiplies.
    products: Vec<Vec<usize>>,
}

fn import(object: &Obj<'_>, _: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(POLYNOMIAL.op, object.class());
    // 0.15 told it by its powers only.
    let powers = object.some("powers_").and_then(|p| p.floats()).filter(|p| p.ndim() == 2);
    node.n_features = Some(match (super::super::n_features(object), powers) {
        (Err(_), Some(powers)) => powers.shape()[1],
        (n, _) => n?,
    });
    let (low, high) = match object.need("degree")?.int() {
        Some(high) => (0, high),
        None => {
            let range: Vec<i64> = object.list("degree")?.iter().filter_map(|v| v.int()).collect();
            match range[..] {
                [low, high] => (low, high),
                _ => return Err(object.wrong("degree", "is no number or pair of numbers")),
            }
        }
    };
    if !(0..=32).contains(&low) || !(0..=32).contains(&high) {
        return Err(object.wrong("degree", "is out of bounds"));
    }
    node.set("low", low);
    node.set("high", high);
    node.set("interaction_only", object.flag("interaction_only", false));
    node.set("include_bias", object.flag("include_bias", true));
    Ok(node)
}

/// More products than this are a mistake.
const MAX_PRODUCTS: usize = 1 << 16;

fn load(node: &Node, _: &Store) -> Result<Box<dyn Estimator>, Error> {
    let n_features = node.n_features.ok_or_else(|| node.broken("its number of features is missing"))?;
    let mut products = Vec::new();
    if node.flag("include_bias") {
        products.push(Vec::new());
    }
    for degree in node.usize("low")?.max(1)..=node.usize("high")?.min(32) {
        extend(&mut products, n_features, degree, node.flag("interaction_only"));
        if products.len() >= MAX_PRODUCTS {
            return Err(node.broken("it has too many products"));
        }
    }
    Ok(Box::new(Polynomial { n_features, products }))
}

/// All choices of `degree` features in ascending order, each once or (unless `distinct`) repeatedly.
fn extend(products: &mut Vec<Vec<usize>>, n_features: usize, degree: usize, distinct: bool) {
    let step = usize::from(distinct);
    let mut choice: Vec<usize> = (0..degree).map(|i| i * step).collect();
    // The largest feature that position `i` may have.
    let limit = |i: usize| (n_features).checked_sub(1 + (degree - 1 - i) * step);
    if (0..degree).any(|i| limit(i).is_none_or(|l| choice[i] > l)) {
        return;
    }
    loop {
        products.push(choice.clone());
        let Some(i) = (0..degree).rev().find(|i| limit(*i).is_some_and(|l| choice[*i] < l)) else {
            return;
        };
        choice[i] += 1;
        for j in i + 1..degree {
            choice[j] = choice[j - 1] + step;
        }
        if products.len() >= MAX_PRODUCTS {
            return;
        }
    }
}

impl Estimator for Polynomial {
    fn outline(&self) -> Outline {
        super::transformer(Some(self.n_features), self.products.len(), false)
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut out = Array2::ones((x.nrows(), self.products.len()));
        for (row, mut out) in x.outer_iter().zip(out.outer_iter_mut()) {
            for (factors, out) in self.products.iter().zip(out.iter_mut()) {
                *out = factors.iter().map(|f| row[*f]).product();
            }
        }
        Ok(out)
    }
}
