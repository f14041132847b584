//! What a model costs a process: pages of the map that all share, and next to nothing of its own.
//!
//! A file of its own, so that no other test allocates in the same process.

mod common;

use common::{anonymous, mapped};
use ndarray::Array2;
use squall_model::{Model, Rows, import};

const OUTPUTS: usize = 100;
const FEATURES: usize = 50_000;

/// A fitted PCA as protocol 4 has it, with `OUTPUTS * FEATURES` weights (40 MB).
fn big_pickle() -> Vec<u8> {
    let array = |shape: &[usize], value: f64| {
        let mut out = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR(K\x01(".to_vec();
        for n in shape {
            out.push(b'J');
            out.extend_from_slice(&(*n as u32).to_le_bytes());
        }
        out.extend_from_slice(
            b"tcnumpy\ndtype\n(U\x02f8\x89\x88tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89B",
        );
        let n: usize = shape.iter().product();
        out.extend_from_slice(&(8 * n as u32).to_le_bytes());
        for i in 0..n {
            out.extend_from_slice(&(value * i as f64).to_le_bytes());
        }
        out.extend_from_slice(b"tb");
        out
    };
    [
        &b"\x80\x04csklearn.decomposition._pca\nPCA\n)\x81}(X\x0b\x00\x00\x00components_"[..],
        &array(&[OUTPUTS, FEATURES], 1e-6),
        b"X\x05\x00\x00\x00mean_",
        &array(&[FEATURES], 0.0),
        b"X\x06\x00\x00\x00whiten\x89ub.",
    ]
    .concat()
}

#[test]
fn private_memory_does_not_grow_with_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let (source, out) = (folder.path().join("big.pkl"), folder.path().join("big.safetensors"));
    std::fs::write(&source, big_pickle()).unwrap();
    let done = import(&source, &out, &mut |_, _| {}).unwrap();
    assert!(done.bytes > 40_000_000);
    let x = Array2::<f64>::ones((1, FEATURES));
    let me = std::process::id();
    let before = anonymous(me);
    let model = Model::open(&out).unwrap();
    model.prefault().unwrap();
    let features = model.transform(Rows::F64(x.view())).unwrap();
    let grown = anonymous(me).saturating_sub(before);
    assert_eq!(features.ncols(), OUTPUTS);
    let there = mapped(me, out.to_str().unwrap(), "Rss");
    assert!(there >= done.bytes, "only {there} bytes of {} were there after prefaulting", done.bytes);
    assert!(grown < 2_000_000, "private memory grew by {grown} bytes");
}
