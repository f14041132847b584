//! What a component's configuration is checked against, and where the check says what is wrong with it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::suggest::did_you_mean;
use crate::{ConfigFault, Error, FieldType, InputStream, Result};

/// What a configuration is checked against, and what was found wrong with it.
///
/// A check may end with an error at the first thing that is wrong. With [`at`](Check::at) and [`fault`](Check::fault) it says
/// what is wrong and goes on, so that the user sees everything at once; and if it tells the output streams in the end, the
/// components behind are checked too.
///
/// ```
/// use squall_core::{Check, FieldType};
/// let check = Check::default();
/// let found = check.at("features", check.field("pixels", FieldType::F32s(None)));
/// check.fault("top", "expected at least 1");
/// assert_eq!(found, None);
/// assert_eq!(check.verdict().unwrap_err().to_string(), "features: the bolt has no input; top: expected at least 1");
/// ```
#[derive(Debug, Default)]
pub struct Check<'a> {
    /// The streams subscribed to.
    pub inputs: &'a [InputStream],
    /// The models of the topology by name, each as a file that can be opened now.
    pub models: Option<&'a BTreeMap<String, PathBuf>>,
    partial: bool,
    faults: RefCell<Vec<ConfigFault>>,
}

/// Behind an error that is none: what was asked for depends on something that is wrong elsewhere.
#[derive(Debug)]
struct NotKnown;

impl std::fmt::Display for NotKnown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("something is wrong in front of it")
    }
}

impl std::error::Error for NotKnown {}

impl<'a> Check<'a> {
    /// A check against these inputs and models.
    ///
    /// ```
    /// assert!(squall_core::Check::new(&[], None).verdict().is_ok());
    /// ```
    pub fn new(inputs: &'a [InputStream], models: Option<&'a BTreeMap<String, PathBuf>>) -> Self {
        Check { inputs, models, ..Check::default() }
    }

    /// The same, with streams subscribed to beside `inputs` whose fields are not known, as something is wrong in front of it:
    /// then only what is said with [`at`](Check::at) and [`fault`](Check::fault) counts.
    ///
    /// ```
    /// use squall_core::{Check, FieldType};
    /// let check = Check::default().partial(true);
    /// assert_eq!(check.at("field", check.field("word", FieldType::Str)), None);
    /// assert!(check.verdict().is_ok(), "an input may have the field");
    /// ```
    #[must_use]
    pub fn partial(self, partial: bool) -> Self {
        Check { partial, ..self }
    }

    /// Says what is wrong with the value of a key, such as `emit[0]`, or with the component where the key is empty; the check
    /// goes on.
    ///
    /// ```
    /// let check = squall_core::Check::default();
    /// check.fault("every", "must be at least 1");
    /// assert!(check.verdict().is_err());
    /// ```
    pub fn fault(&self, key: &str, message: impl std::fmt::Display) {
        self.faults.borrow_mut().push(ConfigFault { path: key.to_owned(), message: message.to_string() });
    }

    /// The value; or nothing, and the error is shown at the key and the check goes on.
    ///
    /// ```
    /// use squall_core::Check;
    /// let check = Check::default();
    /// assert_eq!(check.at("n", Ok(1)), Some(1));
    /// assert_eq!(check.at("m", "x".parse::<u8>().map_err(|e| e.to_string().into())), None);
    /// assert_eq!(check.verdict().unwrap_err().to_string(), "m: invalid digit found in string");
    /// ```
    pub fn at<T>(&self, key: &str, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                if !is_not_known(&error) {
                    self.fault(key, error);
                }
                None
            }
        }
    }

    /// The same for an error that begins with its key, as in `` `emit[0]`: …``.
    ///
    /// ```
    /// use squall_core::{Check, Error};
    /// let check = Check::default();
    /// assert_eq!(check.noted::<()>(Err(Error::user("`top`: too many"))), None);
    /// assert_eq!(check.verdict().unwrap_err().to_string(), "top: too many");
    /// ```
    pub fn noted<T>(&self, result: Result<T>) -> Option<T> {
        result
            .inspect_err(|error| {
                if !is_not_known(error) {
                    self.faults.borrow_mut().push(placed(error));
                }
            })
            .ok()
    }

    /// Whether nothing was found wrong.
    ///
    /// # Errors
    /// Everything that was, in one text.
    ///
    /// ```
    /// assert!(squall_core::Check::default().verdict().is_ok());
    /// ```
    pub fn verdict(&self) -> Result<()> {
        match self.faults.borrow().as_slice() {
            [] => Ok(()),
            faults => Err(Error::user(said(faults))),
        }
    }

    /// The type of a field that every input must have, of a type that `wanted` accepts.
    ///
    /// # Errors
    /// There is no input, an input lacks the field, or has it with another type.
    ///
    /// ```
    /// use squall_core::{Check, FieldType, Grouping, InputStream, Schema};
    /// let input = InputStream {
    ///     from: "a".into(), stream: "default".into(), grouping: Grouping::Shuffle,
    ///     fields: Schema::new([("word", FieldType::Str)]),
    /// };
    /// let inputs = [input];
    /// assert_eq!(Check::new(&inputs, None).field("word", FieldType::Any).unwrap(), FieldType::Str);
    /// ```
    pub fn field(&self, name: &str, wanted: FieldType) -> Result<FieldType> {
        let mut found = None;
        for input in self.inputs {
            let Some(field) = input.fields.field(name) else {
                let hint = did_you_mean(name, input.fields.fields().iter().map(|f| f.name.as_str()));
                let InputStream { from, stream, fields, .. } = input;
                return Err(Error::user(format!("`{from}` emits no field `{name}` on `{stream}` ({fields}){hint}")));
            };
            if !wanted.accepts(field.kind) {
                return Err(Error::user(format!("field `{name}` of `{}` is {}, not {wanted}", input.from, field.kind)));
            }
            found.get_or_insert(field.kind);
        }
        found.ok_or_else(|| self.no_input())
    }

    /// The error of a bolt that finds no input where it needs one.
    ///
    /// ```
    /// use squall_core::Check;
    /// let check = Check::default();
    /// let first = check.inputs.first().ok_or_else(|| check.no_input());
    /// assert_eq!(first.unwrap_err().to_string(), "the bolt has no input");
    /// ```
    pub fn no_input(&self) -> Error {
        if self.partial { self.stop() } else { Error::user("the bolt has no input") }
    }

    /// Ends a check whose rest depends on what was said to be wrong: an error that is no fault of its own.
    ///
    /// ```
    /// let check = squall_core::Check::default();
    /// check.fault("path", "no such file");
    /// assert_eq!(check.at::<()>("columns", Err(check.stop())), None);
    /// assert_eq!(check.verdict().unwrap_err().to_string(), "path: no such file");
    /// ```
    pub fn stop(&self) -> Error {
        Error::user("it cannot be checked further").because(NotKnown)
    }

    /// The file of a model named in the topology.
    ///
    /// # Errors
    /// The topology has no model of this name.
    ///
    /// ```
    /// assert!(squall_core::Check::default().model("digits").is_err());
    /// ```
    pub fn model(&self, name: &str) -> Result<&'a PathBuf> {
        let models = self.models.into_iter().flatten();
        models.clone().find(|(n, _)| n.as_str() == name).map(|(_, path)| path).ok_or_else(|| {
            Error::user(format!("the topology has no model `{name}`{}", did_you_mean(name, models.map(|(n, _)| n.as_str()))))
        })
    }

    /// What was said, and what ended the check if that is sure to be a fault.
    pub(crate) fn faults(&self, end: Option<Error>) -> Vec<ConfigFault> {
        let mut faults = self.faults.take();
        // Whatever a type does, one that ends its check is refused.
        let counts = |e: &Error| !self.partial && (faults.is_empty() || !is_not_known(e));
        faults.extend(end.filter(counts).map(|e| placed(&e)));
        faults
    }
}

/// All faults in a text.
pub(crate) fn said(faults: &[ConfigFault]) -> String {
    let lines = faults.iter().map(|f| match f.path.as_str() {
        "" => f.message.clone(),
        path => format!("{path}: {}", f.message),
    });
    lines.collect::<Vec<_>>().join("; ")
}

fn is_not_known(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|cause| cause.is::<NotKnown>())
}

/// A message that begins with `` `key`: `` is shown at that key.
fn placed(error: &Error) -> ConfigFault {
    let message = error.to_string();
    let placed = message.strip_prefix('`').and_then(|rest| rest.split_once("`: "));
    match placed {
        Some((path, rest)) => ConfigFault { path: path.to_owned(), message: rest.to_owned() },
        None => ConfigFault { path: String::new(), message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_check_counts_unless_an_input_is_not_known() {
        let check = Check::default();
        check.fault("a", "wrong");
        let faults = check.faults(Some(Error::user("`b`: wrong too")));
        assert_eq!(faults.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["a", "b"]);
        let check = Check::default().partial(true);
        check.fault("a", "wrong");
        assert_eq!(check.faults(Some(Error::user("`b`: no input has it"))).len(), 1);
    }
}
