//! What the bench stands on: a private cluster, which the command line has and this crate does not know.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use squall_core::control::TopologyStatus;

/// A cluster of one's own, with slots enough.
pub trait Ground {
    /// Why something did not work; mistakes of the bench itself become such errors too.
    type Error: From<squall_core::Error>;

    /// Checks a topology, submits it with so many workers, and gives its name.
    ///
    /// # Errors
    /// It is invalid or refused.
    fn submit(&mut self, file: &Path, set: &[(String, String)], workers: u32) -> Result<String, Self::Error>;

    /// The topology when its revision is another than `after`; `None` when the time is over before.
    ///
    /// # Errors
    /// The cluster does not answer; somebody has stopped the bench.
    fn status(&mut self, name: &str, after: u64, wait: Duration) -> Result<Option<TopologyStatus>, Self::Error>;

    /// Stops a topology and waits until its workers are gone.
    ///
    /// # Errors
    /// The cluster does not answer; somebody has stopped the bench.
    fn kill(&mut self, name: &str) -> Result<(), Self::Error>;

    /// The command that runs [`peer`](crate::peer) in a process of its own.
    fn peer(&self) -> Vec<OsString>;

    /// Tells whoever watches what is being done.
    fn say(&mut self, text: &str);
}
