//! Model files made for a test: fitted logistic regressions as scikit-learn pickles them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// Writes a logistic regression of so many classes (labelled 0, 1, …) and features, pickled with protocol 4; `coefficient` is asked
/// for each number of `coef_`, row after row, `intercept` for each class.
///
/// # Panics
/// The file cannot be written.
pub fn logistic(
    path: &Path,
    (classes, features): (usize, usize),
    coefficient: impl Fn(usize) -> f64,
    intercept: impl Fn(usize) -> f64,
) {
    let mut out = BufWriter::new(File::create(path).expect("the file can be made"));
    let mut write = |bytes: &[u8]| out.write_all(bytes).expect("the disk has room");
    write(b"\x80\x04csklearn.linear_model._logistic\nLogisticRegression\n)\x81}(");
    let mut array = |name: &str, kind: &[u8; 2], shape: &[usize], values: &mut dyn Iterator<Item = [u8; 8]>| {
        let mut head = vec![b'X'];
        head.extend((name.len() as u32).to_le_bytes());
        head.extend(name.as_bytes());
        head.extend(b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR(K\x01(");
        for n in shape {
            head.push(b'J');
            head.extend((*n as u32).to_le_bytes());
        }
        head.extend(b"tcnumpy\ndtype\n(U\x02");
        head.extend(kind);
        head.extend(b"\x89\x88tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89B");
        head.extend((8 * shape.iter().product::<usize>() as u32).to_le_bytes());
        write(&head);
        values.for_each(|v| write(&v));
        write(b"tb");
    };
    array("classes_", b"i8", &[classes], &mut (0..classes as i64).map(i64::to_le_bytes));
    array("coef_", b"f8", &[classes, features], &mut (0..classes * features).map(|i| coefficient(i).to_le_bytes()));
    array("intercept_", b"f8", &[classes], &mut (0..classes).map(|class| intercept(class).to_le_bytes()));
    out.write_all(b"ub.").and_then(|()| out.flush()).expect("the disk has room");
}
