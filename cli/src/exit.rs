//! How a command ends: exit codes, and errors that know theirs.

use std::process::ExitCode;

use squall_core::{Error, Fault};

/// Shown below every help text.
pub(crate) const CODES: &str = "\
Exit codes:
  0    done
  1    it failed, or a fault of squall
  2    wrong usage, an invalid topology or model, another mistake in what was given
  3    the cluster cannot be reached, or something else outside failed
  4    there is no such topology, worker, component type or file
  5    the cluster refuses it in its present state
  130  stopped by Ctrl-C; 143 by SIGTERM, 129 when its terminal was closed";

/// Why a command did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It was tried and failed: a topology that failed, or a fault of ours.
    #[error("{0}")]
    Failed(String),
    /// What was given is wrong.
    #[error("{0}")]
    Usage(String),
    /// What was given is wrong, and that has been shown already.
    #[error("invalid")]
    Shown,
    /// Something outside failed: no cluster there, a disk, a network.
    #[error("{0}")]
    Outside(String),
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// Not in the present state: a name that is taken, a topology that is being killed.
    #[error("{0}")]
    Refused(String),
    /// Stopped by this signal.
    #[error("stopped by signal {0}")]
    Signal(i32),
    /// Nobody reads the output any more, which is no failure: `squall list | head -1`.
    #[error("broken pipe")]
    BrokenPipe,
}

/// The result of a command or of a step of it.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Failure::BrokenPipe => 0,
            Failure::Failed(_) => 1,
            Failure::Usage(_) | Failure::Shown => 2,
            Failure::Outside(_) => 3,
            Failure::NotFound(_) => 4,
            Failure::Refused(_) => 5,
            Failure::Signal(signal) => 128u8.saturating_add(u8::try_from(*signal).unwrap_or(0)),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.fault() {
            Fault::User => Failure::Usage(error.to_string()),
            Fault::External => Failure::Outside(error.to_string()),
            Fault::Internal => Failure::Failed(format!("a fault of squall, please report it: {error}")),
        }
    }
}

impl From<squall_model::Error> for Failure {
    fn from(error: squall_model::Error) -> Self {
        if let squall_model::Error::Io { source, .. } = &error
            && source.kind() == std::io::ErrorKind::NotFound
        {
            return Failure::NotFound(error.to_string());
        }
        match error.domain() {
            squall_model::Domain::User => Failure::Usage(error.to_string()),
            squall_model::Domain::External => Failure::Outside(error.to_string()),
            squall_model::Domain::Internal => Failure::Failed(error.to_string()),
        }
    }
}

/// Ends the program as the outcome says; the message goes to stderr.
pub(crate) fn finish(outcome: Outcome) -> ExitCode {
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    if !matches!(failure, Failure::BrokenPipe | Failure::Shown | Failure::Signal(_)) {
        eprintln!("squall: {failure}");
    }
    ExitCode::from(failure.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_have_their_codes() {
        assert_eq!(Failure::from(Error::user("x")).code(), 2);
        assert_eq!(Failure::from(Error::external("x")).code(), 3);
        assert_eq!(Failure::from(Error::internal("x")).code(), 1);
        assert_eq!(Failure::BrokenPipe.code(), 0);
        assert_eq!(Failure::Signal(2).code(), 130);
    }
}
