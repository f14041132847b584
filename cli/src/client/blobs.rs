//! Uploading what a topology needs: worker binaries and models, by their hash.

use std::fs::File;
use std::path::Path;

use ureq::SendBody;
use ureq::http::Method;

use super::{Client, PATIENCE};
use crate::exit::{Failure, Outcome};
use crate::show::{Show, size};

impl Client {
    /// Uploads a file of this hash and name unless nimbus has it already.
    pub(crate) fn upload(&self, path: &Path, (sha256, name): (&str, &str), show: &Show) -> Outcome {
        let at = format!("/v1/blobs/{sha256}");
        let mut asked = self.send(Method::HEAD, &at, SendBody::none(), Some(PATIENCE), &[])?;
        match asked.status().as_u16() {
            200..=299 => {
                log::info!("{name} is already there");
                show.remark(&format!("{name}: already there"));
                return Ok(());
            }
            404 => {}
            _ => return Err(self.problem(&mut asked)),
        }
        let cannot = |e: std::io::Error| Failure::Outside(format!("cannot read `{}`: {e}", path.display()));
        let file = File::open(path).map_err(cannot)?;
        let length = file.metadata().map_err(cannot)?.len();
        let bar = show.bytes_bar(&format!("uploading {name}"), length);
        let mut reader = bar.wrap_read(file);
        // No time limit of the whole: a large model takes what it takes.
        let sent = self.send(
            Method::PUT,
            &at,
            SendBody::from_reader(&mut reader),
            None,
            &[("content-length", &length.to_string()), ("content-type", "application/octet-stream")],
        );
        bar.finish_and_clear();
        let mut response = sent?;
        if !response.status().is_success() {
            return Err(self.problem(&mut response));
        }
        show.remark(&format!("{name}: uploaded, {}", size(length)));
        Ok(())
    }
}
