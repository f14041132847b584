//! An opened artefact: the description, and typed views of the mapped tensors.

use std::collections::HashMap;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytemuck::Pod;
use ndarray::{ArrayView1, ArrayView2, aview1};
use safetensors::{Dtype, SafeTensors};

use super::{ALIGNMENT, FORMAT, MAX_DEPTH, Node};
use crate::Error;
use crate::map::{Identity, Map};

#[derive(Debug)]
struct Place {
    dtype: Dtype,
    shape: Vec<usize>,
    start: usize,
    end: usize,
}

/// The tensors of a mapped artefact.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) map: Arc<Map>,
    places: HashMap<String, Place>,
    pub(crate) source_sha256: String,
    /// Where the file was opened, and which it is.
    pub(crate) path: PathBuf,
    pub(crate) identity: Identity,
}

impl Store {
    /// Checks the header of the mapped file and reads its description.
    pub(crate) fn open(map: Arc<Map>, path: &Path, identity: Identity) -> Result<(Store, Node), Error> {
        let broken = |what: String| Error::Artefact { path: path.to_path_buf(), what };
        let bytes = map.bytes();
        let (header, metadata) =
            SafeTensors::read_metadata(bytes).map_err(|e| broken(format!("its header is damaged ({e})")))?;
        let data = header + 8;
        let words = metadata.metadata().clone().unwrap_or_default();
        let word = |key: &str| words.get(key).map(String::as_str);
        match word("squall.format") {
            Some(FORMAT) => {}
            Some(other) => return Err(broken(format!("its format {other} is not {FORMAT}"))),
            None => return Err(broken("it is a safetensors file of something else".into())),
        }
        let mut places = HashMap::new();
        for (name, info) in metadata.tensors() {
            let (start, end) = (data + info.data_offsets.0, data + info.data_offsets.1);
            if start > end || end > bytes.len() {
                return Err(broken(format!("tensor `{name}` lies outside the file")));
            }
            if !name.starts_with("pad.") && !(bytes.as_ptr() as usize + start).is_multiple_of(ALIGNMENT) {
                return Err(broken(format!("tensor `{name}` is not aligned to {ALIGNMENT} bytes")));
            }
            places.insert(name, Place { dtype: info.dtype, shape: info.shape.clone(), start, end });
        }
        let node: Node = serde_json::from_str(word("squall.model").unwrap_or_default())
            .map_err(|e| broken(format!("its description is damaged ({e})")))?;
        if depth(&node) > MAX_DEPTH {
            return Err(broken("its estimators are nested too deep".into()));
        }
        let source_sha256 = word("squall.source_sha256").unwrap_or_default().to_owned();
        let store = Store { map, places, source_sha256, path: path.to_path_buf(), identity };
        Ok((store, node))
    }

    /// The shape of each tensor of a node, for `describe`.
    pub(crate) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.places.get(name).map(|p| p.shape.as_slice())
    }

    pub(crate) fn f64(&self, node: &Node, role: &str) -> Result<View<f64>, Error> {
        self.view(node, role, Dtype::F64)
    }

    pub(crate) fn i64(&self, node: &Node, role: &str) -> Result<View<i64>, Error> {
        self.view(node, role, Dtype::I64)
    }

    pub(crate) fn u8(&self, node: &Node, role: &str) -> Result<View<u8>, Error> {
        self.view(node, role, Dtype::U8)
    }

    fn view<T: Pod>(&self, node: &Node, role: &str, dtype: Dtype) -> Result<View<T>, Error> {
        let name = node.tensors.get(role).ok_or_else(|| node.broken(&format!("the array `{role}` is missing")))?;
        let place = self.places.get(name).ok_or_else(|| node.broken(&format!("tensor `{name}` is missing")))?;
        let view = View {
            map: self.map.clone(),
            start: place.start,
            end: place.end,
            shape: place.shape.clone(),
            element: PhantomData,
        };
        let elements = place.shape.iter().try_fold(1usize, |a, b| a.checked_mul(*b));
        if place.dtype != dtype || elements != Some(view.slice().len()) {
            return Err(node.broken(&format!("tensor `{name}` has another type or size than it should")));
        }
        Ok(view)
    }
}

fn depth(node: &Node) -> usize {
    // serde_json itself refuses more than 128 levels.
    1 + node.children.iter().map(|c| depth(&c.node)).max().unwrap_or(0)
}

/// A tensor where it lies in the map. Cloning it copies no element.
#[derive(Debug, Clone)]
pub(crate) struct View<T> {
    map: Arc<Map>,
    start: usize,
    end: usize,
    shape: Vec<usize>,
    element: PhantomData<T>,
}

impl<T: Pod> View<T> {
    /// All elements, row by row.
    pub(crate) fn slice(&self) -> &[T] {
        // Type, bounds and alignment were checked when the view was made; empty is the safe answer.
        let bytes = self.map.bytes().get(self.start..self.end).unwrap_or_default();
        bytemuck::try_cast_slice(bytes).unwrap_or_default()
    }

    /// Where it lies in the file, and how long it is, in bytes.
    pub(crate) fn place(&self) -> (usize, usize) {
        (self.start, self.end - self.start)
    }

    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    pub(crate) fn len(&self) -> usize {
        self.slice().len()
    }

    pub(crate) fn vector(&self) -> ArrayView1<'_, T> {
        aview1(self.slice())
    }

    /// The elements as a matrix of `shape()[0]` rows.
    pub(crate) fn matrix(&self) -> Result<ArrayView2<'_, T>, Error> {
        let rows = self.shape.first().copied().unwrap_or(1);
        let columns = self.shape.iter().skip(1).product();
        ArrayView2::from_shape((rows, columns), self.slice()).map_err(|e| Error::Internal(format!("a view of a tensor: {e}")))
    }

    /// Fails at opening, with the node at fault, unless the shape is `expected`.
    pub(crate) fn expect(self, node: &Node, role: &str, expected: &[usize]) -> Result<View<T>, Error> {
        if self.shape == expected {
            return Ok(self);
        }
        Err(node.broken(&format!("the array `{role}` has shape {:?} instead of {expected:?}", self.shape)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artefact::{Builder, publish, write};

    #[test]
    fn views_lie_inside_the_map() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.safetensors");
        let mut builder = Builder::new(0);
        let mut node = Node::new("test", "Test");
        builder.vec(&mut node, "one", vec![1.0; 3]).unwrap();
        builder.i64(&mut node, "two", vec![2; 5]).unwrap();
        let bytes = write(&node, &builder, "").unwrap();
        publish(&path, &bytes, &mut |_| Ok(())).unwrap();

        let file = std::fs::File::open(&path).unwrap();
        let map = Arc::new(Map::new(&file, &path).unwrap());
        let identity = Identity::of(&file.metadata().unwrap());
        let (store, node) = Store::open(map.clone(), &path, identity).unwrap();
        let range = map.bytes().as_ptr_range();
        let inside = |p: *const u8| range.contains(&p) && (p as usize).is_multiple_of(ALIGNMENT);
        let one = store.f64(&node, "one").unwrap();
        assert_eq!(one.slice(), [1.0; 3]);
        assert!(inside(one.slice().as_ptr().cast()));
        assert!(inside(one.clone().vector().as_ptr().cast()));
        let two = store.i64(&node, "two").unwrap();
        assert!(inside(two.slice().as_ptr().cast()) && two.slice() == [2; 5]);
        assert!(store.f64(&node, "two").is_err(), "another type is refused");
        assert!(store.f64(&node, "four").is_err(), "a missing tensor is refused");
    }
}
