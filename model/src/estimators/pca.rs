//! Principal components: a projection, centred and perhaps scaled.

use ndarray::{Array1, Array2, ArrayView2};

use super::{Estimator, Family, Methods, Outline, math};
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;
use crate::{Error, Kind};

pub(crate) const FAMILY: Family =
    Family { op: "pca", classes: &["PCA", "IncrementalPCA", "RandomizedPCA", "TruncatedSVD"], import, load };

struct Pca {
    /// Components by features.
    components: View<f64>,
    /// The mean, projected: subtracted after the product, as scikit-learn does.
    offset: View<f64>,
    /// Standard deviation of each component, when whitening.
    scale: Option<View<f64>>,
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new("pca", object.class());
    let components = object.matrix("components_")?;
    let (outputs, features) = components.dim();
    node.n_features = Some(features);
    let mean = match object.some("mean_") {
        Some(_) => Array1::from(object.vector("mean_")?),
        None => Array1::zeros(features),
    };
    if mean.len() != features {
        return Err(object.wrong("mean_", format!("has {} values for {features} features", mean.len())));
    }
    builder.vec(&mut node, "offset", components.dot(&mean).to_vec())?;
    builder.f64(&mut node, "components", components.into_dyn())?;
    let whiten = object.flag("whiten", false);
    node.set("whiten", whiten);
    if whiten {
        let variance = object.vector("explained_variance_")?;
        if variance.len() != outputs {
            return Err(object.wrong("explained_variance_", "does not fit `components_`"));
        }
        let scale = variance.iter().map(|v| v.sqrt().max(f64::EPSILON)).collect();
        builder.vec(&mut node, "scale", scale)?;
    }
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let components = store.f64(node, "components")?;
    let [outputs, _] = *components.shape() else {
        return Err(node.broken("its components are no matrix"));
    };
    let offset = store.f64(node, "offset")?.expect(node, "offset", &[outputs])?;
    let scale = match node.flag("whiten") {
        true => Some(store.f64(node, "scale")?.expect(node, "scale", &[outputs])?),
        false => None,
    };
    Ok(Box::new(Pca { components, offset, scale }))
}

impl Estimator for Pca {
    fn outline(&self) -> Outline {
        Outline {
            kind: Kind::Transformer,
            n_features: self.components.shape().get(1).copied(),
            n_outputs: self.offset.len(),
            methods: Methods { transform: true, ..Methods::default() },
            takes_nan: false,
        }
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        let mut out = math::product(x, self.components.matrix()?);
        out -= &self.offset.vector();
        if let Some(scale) = &self.scale {
            out /= &scale.vector();
        }
        Ok(out)
    }
}
