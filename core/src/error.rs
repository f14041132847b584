//! Errors, and whose fault they are.

use std::fmt;

/// Whose fault an error is; decides what is said to whom and whether trying again may help.
///
/// ```
/// use squall_core::{Error, Fault};
/// assert_eq!(Error::user("no such file").fault(), Fault::User);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// What the user wrote or sent is wrong; trying again changes nothing.
    User,
    /// Something outside failed: a disk, a network, another machine; it may work later.
    External,
    /// Squall is wrong.
    Internal,
}

/// An error with its message, its fault and its cause.
///
/// ```
/// use squall_core::Error;
/// let e = Error::external("cannot read words.txt").because(std::io::Error::other("disk on fire"));
/// assert_eq!(e.to_string(), "cannot read words.txt: disk on fire");
/// ```
pub struct Error(Box<Told>);

/// Behind a pointer: results are returned for every tuple, nearly all of them `Ok`, and must fit a register.
struct Told {
    fault: Fault,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A result with this crate's [`Error`].
///
/// ```
/// fn f() -> squall_core::Result<()> { Ok(()) }
/// assert!(f().is_ok());
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    #[cold]
    fn of(fault: Fault, message: String) -> Self {
        Error(Box::new(Told { fault, message, source: None }))
    }

    /// The user's fault.
    ///
    /// ```
    /// # use squall_core::Error;
    /// assert_eq!(Error::user("x is negative").to_string(), "x is negative");
    /// ```
    pub fn user(message: impl Into<String>) -> Self {
        Error::of(Fault::User, message.into())
    }

    /// A fault outside Squall.
    ///
    /// ```
    /// # use squall_core::{Error, Fault};
    /// assert_eq!(Error::external("no answer").fault(), Fault::External);
    /// ```
    pub fn external(message: impl Into<String>) -> Self {
        Error::of(Fault::External, message.into())
    }

    /// A fault of ours.
    ///
    /// ```
    /// # use squall_core::{Error, Fault};
    /// assert_eq!(Error::internal("slot used twice").fault(), Fault::Internal);
    /// ```
    pub fn internal(message: impl Into<String>) -> Self {
        Error::of(Fault::Internal, message.into())
    }

    /// The same error with what caused it.
    ///
    /// ```
    /// # use squall_core::Error;
    /// let e = Error::user("bad number").because("x".parse::<i32>().unwrap_err());
    /// assert!(std::error::Error::source(&e).is_some());
    /// ```
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(cause.into());
        self
    }

    /// Whose fault it is.
    ///
    /// ```
    /// # use squall_core::{Error, Fault};
    /// assert_eq!(Error::internal("").fault(), Fault::Internal);
    /// ```
    pub fn fault(&self) -> Fault {
        self.0.fault
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Told { fault, message, source } = &*self.0;
        f.debug_struct("Error").field("fault", fault).field("message", message).field("source", source).finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.source {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|e| e as _)
    }
}

macro_rules! external {
    ($($t:ty => $text:literal),*) => {$(
        impl From<$t> for Error { fn from(e: $t) -> Self { Error::external($text).because(e) } }
    )*};
}
external!(std::io::Error => "input or output failed");

impl From<serde_json::Error> for Error {
    fn from(e: serde_json::Error) -> Self {
        Error::user("malformed JSON").because(e)
    }
}
impl From<String> for Error {
    fn from(message: String) -> Self {
        Error::user(message)
    }
}
impl From<&str> for Error {
    fn from(message: &str) -> Self {
        Error::user(message)
    }
}
