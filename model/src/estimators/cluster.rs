//! k-means: the nearest centre, and the distances to all of them.

use ndarray::{Array2, ArrayView2};

use super::{Estimator, Family, Methods, Outline, math};
use crate::artefact::{Builder, Node, Store, View};
use crate::import::Obj;
use crate::{Error, Kind};

pub(crate) const KMEANS: Family = Family { op: "kmeans", classes: &["KMeans", "MiniBatchKMeans"], import, load };

struct KMeans {
    centres: View<f64>,
    clusters: usize,
    n_features: usize,
}

fn import(object: &Obj<'_>, builder: &mut Builder) -> Result<Node, Error> {
    let mut node = Node::new(KMEANS.op, object.class());
    let centres = object.matrix("cluster_centers_")?;
    if centres.is_empty() {
        return Err(object.wrong("cluster_centers_", "is empty"));
    }
    builder.f64(&mut node, "centres", centres.into_dyn())?;
    Ok(node)
}

fn load(node: &Node, store: &Store) -> Result<Box<dyn Estimator>, Error> {
    let centres = store.f64(node, "centres")?;
    match *centres.shape() {
        [clusters, n_features] if clusters > 0 && n_features > 0 => Ok(Box::new(KMeans { centres, clusters, n_features })),
        _ => Err(node.broken("its centres are no matrix")),
    }
}

impl KMeans {
    fn squared(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut out = Array2::zeros((x.nrows(), self.clusters));
        let x = x.as_standard_layout();
        for (row, mut out) in x.outer_iter().zip(out.outer_iter_mut()) {
            let row = row.to_slice().unwrap_or_default();
            for (centre, out) in self.centres.slice().chunks_exact(self.n_features).zip(out.iter_mut()) {
                *out = math::squared_distance(row, centre);
            }
        }
        out
    }
}

impl Estimator for KMeans {
    fn outline(&self) -> Outline {
        Outline {
            kind: Kind::Clusterer,
            n_features: Some(self.n_features),
            n_outputs: self.clusters,
            methods: Methods { predict: true, transform: true, ..Methods::default() },
            takes_nan: false,
        }
    }

    fn values(&self, x: ArrayView2<'_, f64>, out: &mut Vec<f64>) -> Result<(), Error> {
        let nearest = -self.squared(x);
        out.extend(nearest.outer_iter().map(|row| f64::from(math::argmax(row))));
        Ok(())
    }

    fn transform(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>, Error> {
        Ok(self.squared(x).mapv_into(f64::sqrt))
    }
}
