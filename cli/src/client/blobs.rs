//! Uploading what a topology needs: worker binaries and models, by their hash.

use std::fs::File;
use std::io::Read;
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
        let mut reader = Sent { file: bar.wrap_read(file), bytes: 0, broken: None };
        // No time limit of the whole: a large model takes what it takes.
        let sent = self.send(
            Method::PUT,
            &at,
            SendBody::from_reader(&mut reader),
            None,
            &[
                ("content-length", &length.to_string()),
                ("content-type", "application/octet-stream"),
                // What nimbus refuses is not sent in vain.
                ("expect", "100-continue"),
            ],
        );
        bar.finish_and_clear();
        if let Some(e) = reader.broken {
            return Err(cannot(e));
        }
        let mut response = match sent {
            Ok(response) => response,
            Err(why) => return self.broke_off(&at, name, (reader.bytes, length), why),
        };
        if !response.status().is_success() {
            return Err(self.problem(&mut response));
        }
        show.remark(&format!("{name}: uploaded, {}", size(length)));
        Ok(())
    }

    /// An upload found no end, of which so many bytes of so many were sent: it has arrived nevertheless, or what is to be done.
    fn broke_off(&self, at: &str, name: &str, (sent, length): (u64, u64), why: Failure) -> Outcome {
        let head = self.send(Method::HEAD, at, SendBody::none(), Some(PATIENCE), &[]);
        if head.as_ref().is_ok_and(|response| response.status().is_success()) {
            log::info!("{name} has arrived, and nimbus's answer has not");
            return Ok(());
        }
        let when = if head.is_ok() { "run the command again" } else { "run the command again when nimbus answers" };
        let kept = "nothing of it was kept and nothing was changed";
        Err(Failure::Outside(format!(
            "the upload of {name} broke off after {} of {}, {kept}: {when} ({why})",
            size(sent),
            size(length)
        )))
    }
}

/// A file that is sent: how much of it was read, and why no more.
struct Sent<R> {
    file: R,
    bytes: u64,
    broken: Option<std::io::Error>,
}

impl<R: Read> Read for Sent<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.file.read(buffer) {
            Ok(n) => {
                self.bytes += n as u64;
                Ok(n)
            }
            Err(e) => {
                let told = std::io::Error::new(e.kind(), "the file cannot be read");
                self.broken = Some(e);
                Err(told)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    /// Said to be the connection's last answer, so that no call comes on one that is being closed.
    const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

    /// A nimbus that has not got the blob, takes in a piece of it and hangs up; and then knows it or not.
    fn hangs_up(then: &'static str) -> Outcome {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::new(&format!("http://{}/", listener.local_addr().unwrap()), "t0ken").unwrap();
        let server = std::thread::spawn(move || {
            for answer in [NOT_FOUND, "HTTP/1.1 100 Continue\r\n\r\n", then] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = vec![0; 4096];
                let _ = stream.read(&mut asked).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
                if answer.contains("100 Continue") {
                    stream.read_exact(&mut vec![0; 100_000]).unwrap();
                }
            }
        });
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("worker");
        std::fs::write(&file, vec![7; 20_000_000]).unwrap();
        let show = Show { json: false, colour: false, watched: false };
        let uploaded = client.upload(&file, (&"a".repeat(64), "worker"), &show);
        server.join().unwrap();
        uploaded
    }

    #[test]
    fn an_upload_that_breaks_off_says_what_is_to_be_done() {
        let again = hangs_up(NOT_FOUND).unwrap_err();
        let text = again.to_string();
        assert!(text.starts_with("the upload of worker broke off after "), "{text}");
        assert!(
            text.contains(" of 20.0 MB, nothing of it was kept and nothing was changed: run the command again ("),
            "{text}"
        );
        assert_eq!(again.code(), 3);
        hangs_up("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    }

    #[test]
    fn what_is_refused_is_not_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::new(&format!("http://{}/", listener.local_addr().unwrap()), "t0ken").unwrap();
        let server = std::thread::spawn(move || {
            let large = "{\"error\": \"too large\"}";
            let refusal = format!("HTTP/1.1 413 Too Large\r\ncontent-length: {}\r\n\r\n{large}", large.len());
            let mut body = 0;
            for answer in [NOT_FOUND, refusal.as_str()] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = vec![0; 4096];
                let n = stream.read(&mut asked).unwrap();
                body = n - asked[..n].windows(4).position(|w| w == b"\r\n\r\n").unwrap() - 4;
                stream.write_all(answer.as_bytes()).unwrap();
            }
            body
        });
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("worker");
        std::fs::write(&file, b"1234").unwrap();
        let show = Show { json: false, colour: false, watched: false };
        let refused = client.upload(&file, (&"a".repeat(64), "worker"), &show).unwrap_err();
        assert_eq!((refused.to_string().as_str(), refused.code(), server.join().unwrap()), ("too large", 2, 0));
    }
}
