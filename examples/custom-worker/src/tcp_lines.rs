//! An async source: the lines that come in over a TCP connection. The worker polls it within a tokio runtime; while it
//! waits for the network it holds up nobody.

use serde::Deserialize;
use squall_core::{
    AsyncSource, AsyncSpout, Check, Context, Error, FieldType, Result, Schema, Spout, SpoutConfig, StreamDecl, Value,
};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    address: String,
}

impl SpoutConfig for Config {
    const ABOUT: &'static str = "the lines that a TCP server sends: line";
    const KEYS: &'static [(&'static str, &'static str)] = &[("address", "the server, host:port")];

    fn outputs(&self, _: &Check<'_>) -> Result<Vec<StreamDecl>> {
        Ok(vec![StreamDecl::default_stream(Schema::new([("line", FieldType::Str)]))])
    }

    fn build(self, _: &Context) -> Result<Box<dyn Spout>> {
        // Tracked: a line that fails is kept and emitted again.
        Ok(Box::new(AsyncSpout::tracked(TcpLines { address: self.address, lines: None })))
    }
}

struct TcpLines {
    address: String,
    lines: Option<Lines<BufReader<TcpStream>>>,
}

impl AsyncSource for TcpLines {
    async fn next(&mut self) -> Result<Option<Vec<Value>>> {
        let lines = match &mut self.lines {
            Some(lines) => lines,
            none => {
                let stream = TcpStream::connect(&self.address).await;
                let stream = stream.map_err(|e| Error::external(format!("cannot connect to {}", self.address)).because(e))?;
                none.insert(BufReader::new(stream).lines())
            }
        };
        Ok(lines.next_line().await?.map(|line| vec![line.into()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_core::Next;
    use squall_core::harness::Harness;
    use std::time::Duration;
    use tokio::io::AsyncWriteExt;

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn lines_wake_the_spout_and_the_end_of_the_connection_ends_it() {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = serde_json::json!({"address": server.local_addr().unwrap().to_string()});
        let mut spout = Harness::default().spout_config::<Config>(config).unwrap();
        assert_eq!(spout.next().unwrap(), Next::Wait);
        let (mut connection, _) = server.accept().await.unwrap();
        connection.write_all(b"one\ntwo\n").await.unwrap();
        while spout.sent().len() < 2 {
            assert!(spout.woken(Duration::from_secs(10)), "the network never woke the spout");
            spout.run().unwrap();
        }
        assert_eq!(spout.rows("default"), [["one".into()], ["two".into()]]);
        drop(connection);
        while spout.run().unwrap() != Next::End {
            assert!(spout.woken(Duration::from_secs(10)));
        }
    }
}
