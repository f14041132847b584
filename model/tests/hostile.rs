//! Files made to hurt: whatever the bytes, the answer is an error with a reason, never a panic, a call,
//! or memory that the file did not pay for.

use std::path::{Path, PathBuf};

use ndarray::Array2;
use proptest::prelude::*;
use squall_model::{Domain, Error, Imported, Model, Rows, Texts, import};

fn fixture(name: &str) -> Vec<u8> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cases");
    std::fs::read(folder.join(name)).unwrap()
}

fn import_bytes(bytes: &[u8]) -> Result<Imported, Error> {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("model.pkl");
    std::fs::write(&source, bytes).unwrap();
    let out = folder.path().join("model.safetensors");
    let done = import(&source, &out, &mut |_, _| {});
    assert_eq!(done.is_ok(), out.exists(), "an artefact appears exactly when the import succeeds");
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 1 + usize::from(done.is_ok()), "no temporary file is left behind");
    done
}

fn score(model: &Model) {
    let x = Array2::<f64>::from_elem((5, model.n_features().unwrap_or(4).min(1 << 16)), 0.5);
    let ends = [3, 3, 9];
    let rows = match Texts::new("win  cash", &ends) {
        Some(texts) if model.takes_texts() => Rows::Texts(texts),
        _ => Rows::F64(x.view()),
    };
    let _ = model.predict_indices(rows, &mut Vec::new());
    let _ = model.predict_values(rows, &mut Vec::new());
    let _ = model.predict_proba(rows);
    let _ = model.decision_function(rows);
    let _ = model.transform(rows);
}

fn refusal(bytes: &[u8]) -> String {
    let error = import_bytes(bytes).expect_err("refused");
    assert_eq!(error.domain(), Domain::User, "{error}");
    error.to_string()
}

#[test]
fn calls_are_refused_by_name() {
    let cases: &[(&[u8], &str)] = &[
        (b"cos\nsystem\n(S'true'\ntR.", "os.system"),
        (b"cposix\nsystem\n(S'true'\ntR.", "posix.system"),
        (b"c__builtin__\neval\n(S'1'\ntR.", "builtins.eval"),
        (b"\x80\x02cbuiltins\ngetattr\n(NtR.", "builtins.getattr"),
        (b"\x80\x04\x8c\x0asubprocess\x8c\x05Popen\x93)R.", "subprocess.Popen"),
        (b"(S'true'\nios\nsystem\n.", "os.system"),
        (b"(cos\nsystem\nS'true'\no.", "os.system"),
        (b"\x80\x02c__main__\nMine\n)\x81}b.", "__main__.Mine"),
        // Known as a name, not as something to call.
        (b"csklearn.utils\nshuffle\n)R.", "sklearn.utils.shuffle"),
        (b"cnumpy\nload\n(S'x'\ntR.", "numpy.load"),
        (b"cnumpy\nfloat64\n(S'x'\ntR.", "numpy.float64"),
        (b"csklearn.manifold._t_sne\nTSNE\n)\x81}b.", "sklearn.manifold._t_sne.TSNE"),
    ];
    for (pickle, name) in cases {
        let message = refusal(pickle);
        assert!(message.contains(name), "`{name}` is not in: {message}");
    }
}

#[test]
fn what_needs_its_writer_is_refused() {
    for pickle in [&b"P1\n."[..], b"\x80\x02NQ.", b"\x80\x02\x82\x01.", b"\x80\x05\x97.", b"\x80\x05\x97\x98."] {
        let mut framed = b"(".to_vec();
        framed.extend_from_slice(pickle);
        let message = refusal(if pickle[0] == 0x80 { pickle } else { &framed });
        assert!(message.contains("outside the pickle"), "{message}");
    }
}

#[test]
fn lying_lengths_allocate_nothing() {
    let lies: &[&[u8]] = &[
        b"\x80\x04\x8e\x00\x00\x00\x00\x01\x00\x00\x00abc.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc.",
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc.",
        b"\x80\x05\x96\x00\x00\x00\x00\x00\x01\x00\x00abc.",
        b"\x80\x02X\xff\xff\xff\xffabc.",
        b"\x80\x02T\xff\xff\xff\xffabc.",
        b"\x80\x02\x8b\xff\xff\xff\x7fabc.",
    ];
    for lie in lies {
        let message = refusal(lie);
        assert!(message.contains("cut off"), "{message}");
    }
}

#[test]
fn a_small_pickle_cut_anywhere_is_refused() {
    for name in ["scaler.pkl", "logistic-two.pkl", "logistic-objects-p0.pkl", "pca.joblib"] {
        let whole = fixture(name);
        import_bytes(&whole).unwrap();
        for n in 0..whole.len() {
            let message = refusal(&whole[..n]);
            assert!(!message.is_empty());
        }
    }
}

#[test]
fn stacks_and_memos_out_of_order_are_refused() {
    let cases: &[&[u8]] = &[
        b"(.",
        b"\x80\x02.",
        b"\x80\x020.",
        b"\x80\x022.",
        b"\x80\x02t.",
        b"\x80\x02(t(a.",
        b"\x80\x02Nb.",
        b"\x80\x02)R.",
        b"\x80\x02h\x05.",
        b"\x80\x02j\xff\xff\xff\xff.",
        b"(g999999999999999999999\n.",
        b"\x80\x02q\x00.",
        b"\x80\x02]N(Nu.",
        b"\x80\x02}(Nu.",
        b"\x80\x02NNs.",
        b"\x80\x02(NNNd.",
        b"\x80\x02\x93.",
        b"\x80\x02NN\x93.",
        b"\x80\x02\x81.",
        b"\x80\x02(o.",
        b"\x80\x09N.",
        b"\x80\x02\xffN.",
        b"(I\n.",
        b"(Fx\n.",
        b"(S'x\n.",
        b"(L\n.",
        b"(V\\u12\n.",
        b"\x80\x02N.",
        b"\x80\x02}.",
        b"\x80\x02K\x01.",
    ];
    for pickle in cases {
        refusal(pickle);
    }
}

#[test]
fn deep_and_wide_structures_are_harmless() {
    // Lists in lists, tuples in tuples, and a list that holds itself.
    let mut deep = b"\x80\x02".to_vec();
    deep.extend(std::iter::repeat_n(b']', 200_000));
    deep.extend(std::iter::repeat_n(b'a', 199_999));
    deep.push(b'.');
    refusal(&deep);
    let mut tuples = b"\x80\x02N".to_vec();
    tuples.extend(std::iter::repeat_n(0x85, 200_000));
    tuples.push(b'.');
    refusal(&tuples);
    refusal(b"\x80\x02]q\x00h\x00a.");

    // A pipeline whose only step is itself.
    let itself = b"csklearn.pipeline\nPipeline\n)\x81q\x00}q\x01X\x05\x00\x00\x00steps](X\x01\x00\x00\x00ah\x00tasb.";
    let message = refusal(&[b"\x80\x02", &itself[..]].concat());
    assert!(message.contains("nested"), "{message}");

    // Pipelines of two steps that are each the next pipeline: 2^n estimators in n lines.
    let mut bomb = b"\x80\x02csklearn.preprocessing.data\nStandardScaler\n)\x81}(X\x09\x00\x00\x00with_mean\x89X\x08\x00\x00\x00with_std\x89ub0".to_vec();
    bomb.truncate(bomb.len() - 1);
    bomb.extend_from_slice(b"q\x00");
    for i in 0..30u8 {
        bomb.extend_from_slice(b"csklearn.pipeline\nPipeline\n)\x81}X\x05\x00\x00\x00steps](");
        for _ in 0..2 {
            bomb.extend_from_slice(&[b'(', b'X', 1, 0, 0, 0, b'a', b'h', i, b't']);
        }
        bomb.extend_from_slice(&[b'e', b's', b'b', b'q', i + 1]);
    }
    bomb.push(b'.');
    let message = refusal(&bomb);
    assert!(message.contains("far larger"), "{message}");
}

#[test]
fn a_number_alone_does_not_make_rows_wide() {
    let scaler = |features: u32| {
        let mut pickle = b"\x80\x02csklearn.preprocessing.data\nStandardScaler\n)\x81}(X\x09\x00\x00\x00with_mean\x89X\x08\x00\x00\x00with_std\x89X\x0e\x00\x00\x00n_features_in_\x8a\x05".to_vec();
        pickle.extend(features.to_le_bytes());
        pickle.extend_from_slice(b"\x00ub.");
        pickle
    };
    import_bytes(&scaler(1 << 24)).unwrap();
    for features in [(1 << 24) + 1, u32::MAX] {
        let message = refusal(&scaler(features));
        assert!(message.contains("too many columns"), "{message}");
    }
}

#[test]
fn copies_are_paid_for() {
    // One long text, turned into bytes again and again.
    let mut copies = b"\x80\x02c_codecs\nencode\nq\x00X\x00\x00\x10\x00".to_vec();
    copies.extend(std::iter::repeat_n(b'x', 1 << 20));
    copies.extend_from_slice(b"X\x06\x00\x00\x00latin1\x86q\x01");
    for _ in 0..10_000 {
        copies.extend_from_slice(b"h\x00h\x01R");
    }
    copies.push(b'.');
    let message = refusal(&copies);
    assert!(message.contains("copies far more"), "{message}");
}

#[test]
fn arrays_that_do_not_add_up_are_refused() {
    let array = |shape: &str, code: &str, data: &str| {
        format!(
            "cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n{shape}cnumpy\ndtype\n(S'{code}'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\nS'{data}'\ntb."
        )
    };
    for (shape, code, data) in [
        ("(I2\nt", "f8", "12345678"),
        ("(I-1\nt", "f8", ""),
        ("(I4294967296\nI4294967296\nI4294967296\nt", "f8", ""),
        ("(I9223372036854775807\nI0\nI9223372036854775807\nt", "f8", ""),
        ("(I1\nt", "f3", "123"),
        ("(I1\nt", "O8", "12345678"),
        ("(I1\nt", "U99999999999999999999", ""),
        ("(I1\nt", "", ""),
        ("N", "f8", ""),
    ] {
        refusal(array(shape, code, data).as_bytes());
    }
}

#[test]
fn other_formats_are_named() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "empty"),
        (b"PK\x03\x04....", "zip"),
        (b"\x89HDF\r\n", "HDF5"),
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"hello there", "hello there"),
        (b"\x1f\x8b\x08garbage", "gzip"),
        (b"\x78\x9cgarbage", "zlib"),
    ];
    for (bytes, word) in cases {
        let message = refusal(bytes);
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), protocol in 0u8..6) {
        let _ = import_bytes(&bytes);
        let _ = import_bytes(&[&[0x80, protocol], &bytes[..]].concat());
    }

    #[test]
    fn mutated_models_never_panic(
        file in prop::sample::select(vec![
            "scaler.pkl", "logistic-names-p0.pkl", "logistic-names-p5.pkl", "logistic-names.joblib", "svc-names.pkl",
            "pipeline-p2.pkl", "pca-f32.pkl", "svc-sparse.pkl", "tree.pkl", "forest.joblib", "columns.pkl", "knn-chebyshev.pkl",
            "mlp-relu-two.pkl", "calibrated-isotonic-many.pkl", "prepare-one-hot-drop.pkl", "prepare-polynomial.pkl",
            "xgboost-two.json.xgb", "xgboost-two.ubj.xgb", "lightgbm-two.lgb.txt", "histogram-two.pkl", "isolation.pkl",
            "xgboost-categories-50.ubj.xgb", "lightgbm-categories.lgb.txt", "histogram-categories.pkl", "text-bayes.pkl",
            "text-count-group.pkl", "text-union.pkl", "mixture-full.pkl", "centroid-priors.pkl", "prepare-bins.pkl",
            "prepare-quantile-normal.pkl", "select-forest-most.pkl", "targets-trees.pkl", "logistic-packed.joblib.bz2",
            "logistic-packed.joblib.xz", "logistic-packed.joblib.lzma", "logistic-packed.joblib.lz4",
        ]),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = fixture(file);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let folder = tempfile::tempdir().unwrap();
        let (source, out) = (folder.path().join("model"), folder.path().join("artefact"));
        std::fs::write(&source, &bytes).unwrap();
        match import(&source, &out, &mut |_, _| {}) {
            Err(e) => prop_assert!(e.domain() == Domain::User, "{e}"),
            // What was let in has to score, whatever the result.
            Ok(_) => score(&Model::open(&out).unwrap()),
        }
    }
}
