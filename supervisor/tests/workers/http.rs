//! Plain HTTP, a connection a call.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Status (0 where nobody listens), head, body.
pub(crate) fn http(url: &str, token: &str, method: &str, path: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
    let address = url.strip_prefix("http://").unwrap();
    let Ok(mut stream) = TcpStream::connect(address) else { return (0, String::new(), Vec::new()) };
    stream.set_read_timeout(Some(Duration::from_secs(70))).unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let at = answer.windows(4).position(|w| w == b"\r\n\r\n").map_or(answer.len(), |p| p + 4);
    let head = String::from_utf8_lossy(&answer[..at]).into_owned();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0);
    (status, head, answer[at..].to_vec())
}
