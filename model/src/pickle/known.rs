//! The names a pickle may mention.
//!
//! Mentioning is harmless: nothing here is ever imported or called. The list is short all the same,
//! so that a model which needs code of its owner is refused by name at import and not scored wrongly.

/// Names taken one by one.
const NAMES: &[&str] = &[
    "builtins.DeprecationWarning",
    "builtins.FutureWarning",
    "builtins.UserWarning",
    "builtins.bool",
    "builtins.bytearray",
    "builtins.bytes",
    "builtins.complex",
    "builtins.dict",
    "builtins.float",
    "builtins.frozenset",
    "builtins.int",
    "builtins.list",
    "builtins.object",
    "builtins.range",
    "builtins.set",
    "builtins.slice",
    "builtins.str",
    "builtins.tuple",
    "_codecs.encode",
    "collections.Counter",
    "collections.OrderedDict",
    "collections.defaultdict",
    "copyreg._reconstructor",
    "functools.partial",
    "joblib.numpy_pickle.NDArrayWrapper",
    "joblib.numpy_pickle.NumpyArrayWrapper",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.matrix",
    "numpy.memmap",
    "numpy.ufunc",
    "numpy.core.memmap.memmap",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.core.numeric._frombuffer",
    "numpy.ma.MaskedArray",
    "numpy.ma.core.MaskedArray",
    "numpy.ma.core._mareconstruct",
    "scipy._lib._bunch._make_tuple_bunch",
];

/// The classes of these modules are data whatever their name: parameters and leftovers of training
/// that no estimator of ours reads. An estimator among them is refused when it is to be scored.
const MODULES: &[&str] = &["numpy.random", "scipy.interpolate", "scipy.sparse", "scipy.stats", "sklearn"];

/// Element types and functions of numpy that appear as parameters (`dtype=numpy.float64`,
/// `FunctionTransformer(numpy.log1p)`).
const NUMPY: &[&str] = &[
    "character",
    "floating",
    "generic",
    "inexact",
    "integer",
    "number",
    "bool",
    "bool_",
    "bytes_",
    "complex128",
    "float16",
    "float32",
    "float64",
    "int16",
    "int32",
    "int64",
    "int8",
    "intp",
    "object_",
    "str_",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "abs",
    "absolute",
    "arcsinh",
    "arctan",
    "cbrt",
    "ceil",
    "cos",
    "cosh",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "log",
    "log10",
    "log1p",
    "log2",
    "mean",
    "median",
    "negative",
    "reciprocal",
    "rint",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "trunc",
];

/// Brings the spelling of older Pythons and numpys to today's.
pub(crate) fn canonical(module: &str, name: &str) -> String {
    let module = match module {
        "__builtin__" | "exceptions" => "builtins",
        "copy_reg" => "copyreg",
        "numpy._core._multiarray_umath" | "numpy.core._multiarray_umath" => "numpy",
        "sklearn.externals.joblib.numpy_pickle" => "joblib.numpy_pickle",
        other => other,
    };
    let module = match module.strip_prefix("numpy._core") {
        Some(rest) if rest.is_empty() || rest.starts_with('.') => format!("numpy.core{rest}"),
        _ => module.to_owned(),
    };
    match (module.as_str(), name) {
        ("builtins", "unicode") => "builtins.str".into(),
        ("builtins", "long") => "builtins.int".into(),
        ("builtins", "xrange") => "builtins.range".into(),
        (module, name) => format!("{module}.{name}"),
    }
}

/// Whether the canonical `name` is on the list.
pub(crate) fn is_known(name: &str) -> bool {
    let inside = |module: &str| name.strip_prefix(module).is_some_and(|rest| rest.starts_with('.'));
    NAMES.contains(&name)
        || MODULES.iter().any(|m| inside(m))
        || name.strip_prefix("numpy.").is_some_and(|rest| NUMPY.contains(&rest))
}
