//! Talking to nimbus: the calls of `docs/api.md` that clients make.

mod blobs;
mod find;
mod live;
mod logs;

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use squall_core::control::{
    Accepted, ClusterStatus, Kill, Problem, Rebalance, Submit, TopologyStatus, TopologySummary, is_topology_name,
};
use ureq::http::{Method, Request, Response};
use ureq::{Agent, Body, SendBody};

use crate::exit::{Failure, Outcome};

pub(crate) use find::nimbus;
pub(crate) use logs::{From as LogFrom, Log};

/// Longest single wait of a long poll; a wait is made of several.
const POLL: Duration = Duration::from_secs(20);
/// How long nimbus may take for anything but a long poll or an upload.
const PATIENCE: Duration = Duration::from_secs(15);
/// Answers are JSON of a cluster's size, not more.
const MOST: u64 = 64 << 20;

/// How to find nimbus; every client verb takes these.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Where {
    /// Nimbus's address; by default the one that this user started on this machine.
    #[arg(long, global = true, value_name = "URL", env = "SQUALL_NIMBUS", help_heading = "Global options")]
    pub(crate) nimbus: Option<String>,
    /// The file with the cluster's token; by default the one of this user's nimbus.
    #[arg(long, global = true, value_name = "FILE", env = "SQUALL_TOKEN_FILE", help_heading = "Global options")]
    pub(crate) token_file: Option<PathBuf>,
}

/// A nimbus and the token for it.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    agent: Agent,
    url: String,
    authorization: String,
}

impl Client {
    /// Finds nimbus; does not call it yet.
    pub(crate) fn find(place: &Where) -> Outcome<Client> {
        let (url, token) = nimbus(place)?;
        Client::new(&url, &token)
    }

    /// A client of the nimbus at `url`.
    pub(crate) fn new(url: &str, token: &str) -> Outcome<Client> {
        if !url.starts_with("http://") {
            return Err(Failure::Usage(format!("`{url}` is no address of a nimbus: expected http://127.0.0.1:PORT")));
        }
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            // A nimbus that was started anew closes old connections; making one costs little.
            .max_idle_connections(0)
            .timeout_connect(Some(Duration::from_secs(3)));
        Ok(Client {
            agent: config.build().new_agent(),
            url: url.trim_end_matches('/').to_owned(),
            authorization: format!("Bearer {token}"),
        })
    }

    /// Nimbus's address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn cluster(&self) -> Outcome<ClusterStatus> {
        self.get("/v1/cluster")
    }

    pub(crate) fn topologies(&self) -> Outcome<Vec<TopologySummary>> {
        self.get("/v1/topologies")
    }

    pub(crate) fn submit(&self, submit: &Submit) -> Outcome<Accepted> {
        self.post("/v1/topologies", submit)
    }

    pub(crate) fn topology(&self, name: &str) -> Outcome<TopologyStatus> {
        self.get(&topology(name, "")?)
    }

    /// The topology when its revision is another than `after`; `None` when the time is over before.
    pub(crate) fn topology_after(&self, name: &str, after: u64, wait: Duration) -> Outcome<Option<TopologyStatus>> {
        self.poll(&topology(name, "")?, after, wait.min(POLL))
    }

    pub(crate) fn activate(&self, name: &str) -> Outcome<Accepted> {
        self.post(&topology(name, "/activate")?, &serde_json::json!({}))
    }

    pub(crate) fn deactivate(&self, name: &str) -> Outcome<Accepted> {
        self.post(&topology(name, "/deactivate")?, &serde_json::json!({}))
    }

    pub(crate) fn rebalance(&self, name: &str, rebalance: &Rebalance) -> Outcome<Accepted> {
        self.post(&topology(name, "/rebalance")?, rebalance)
    }

    /// Has a worker started anew.
    pub(crate) fn restart(&self, name: &str, worker: u32) -> Outcome<Accepted> {
        self.post(&topology(name, &format!("/workers/{worker}/restart"))?, &serde_json::json!({}))
    }

    pub(crate) fn kill(&self, name: &str, kill: &Kill) -> Outcome<Accepted> {
        self.post(&topology(name, "/kill")?, kill)
    }

    /// A link that opens the page once without the token, for so long; none: ten minutes.
    pub(crate) fn page_link(&self, valid: Option<Duration>) -> Outcome<String> {
        #[derive(serde::Deserialize)]
        struct Link {
            path: String,
        }
        let valid_ms = valid.map(|v| v.as_millis() as u64);
        let link: Link = self.post("/v1/page/links", &serde_json::json!({ "valid_ms": valid_ms }))?;
        Ok(format!("{}{}", self.url, link.path))
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Outcome<T> {
        let mut response = self.call(Method::GET, path, SendBody::none(), PATIENCE)?;
        self.read(&mut response)
    }

    /// What is there when it is something else than at `after`; `None` when the time is over before.
    fn poll<T: DeserializeOwned>(&self, path: &str, after: u64, wait: Duration) -> Outcome<Option<T>> {
        let path = format!("{path}?after={after}&wait_ms={}", wait.as_millis());
        let mut response = self.call(Method::GET, &path, SendBody::none(), PATIENCE + wait)?;
        if response.status() == 204 { Ok(None) } else { self.read(&mut response).map(Some) }
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Outcome<T> {
        let body = SendBody::from_json(body).map_err(|e| Failure::Failed(format!("cannot write a request: {e}")))?;
        let mut response = self.call(Method::POST, path, body, PATIENCE)?;
        self.read(&mut response)
    }

    /// Makes a call; any answer but 2xx becomes a failure.
    fn call(&self, method: Method, path: &str, body: SendBody<'_>, patience: Duration) -> Outcome<Response<Body>> {
        let mut response = self.send(method, path, body, Some(patience), &[])?;
        if response.status().is_success() { Ok(response) } else { Err(self.problem(&mut response)) }
    }

    fn send(
        &self,
        method: Method,
        path: &str,
        body: SendBody<'_>,
        patience: Option<Duration>,
        headers: &[(&str, &str)],
    ) -> Outcome<Response<Body>> {
        let changes = method == Method::POST;
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        request = request.header("authorization", &self.authorization);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).map_err(|e| Failure::Usage(format!("cannot call {}{path}: {e}", self.url)))?;
        let request = self.agent.configure_request(request).timeout_global(patience).build();
        self.agent.run(request).map_err(|e| match self.unreachable(&e) {
            Failure::Outside(why) if changes && was_reached(&e) => {
                Failure::Outside(format!("{why}; whether it was done is not known: look before you ask for it again"))
            }
            failure => failure,
        })
    }

    fn read<T: DeserializeOwned>(&self, response: &mut Response<Body>) -> Outcome<T> {
        let text = response.body_mut().with_config().limit(MOST).read_to_vec().map_err(|e| self.unreachable(&e))?;
        serde_json::from_slice(&text)
            .map_err(|e| Failure::Outside(format!("{} answers something else than a nimbus of this version: {e}", self.url)))
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        let url = &self.url;
        Failure::Outside(match was_reached(error) {
            true => format!("nimbus at {url} did not answer: {error}"),
            false => format!("cannot reach nimbus at {url}: {error}; is it running? `squall nimbus` starts one"),
        })
    }

    /// What an answer that is not 2xx means.
    fn problem(&self, response: &mut Response<Body>) -> Failure {
        let status = response.status();
        let text = response.body_mut().with_config().limit(MOST).read_to_vec().unwrap_or_default();
        let problem = serde_json::from_slice::<Problem>(&text)
            .unwrap_or_else(|_| Problem { error: format!("{} answered {status}", self.url), ..Problem::default() });
        let mut message = problem.error;
        if !problem.remedy.is_empty() {
            message = format!("{message}; {}", problem.remedy);
        }
        for detail in &problem.details {
            message.push_str("\n  ");
            message.push_str(detail);
        }
        match status.as_u16() {
            404 => Failure::NotFound(message),
            409 => Failure::Refused(message),
            400..=499 => Failure::Usage(message),
            500 => Failure::Failed(message),
            _ => Failure::Outside(message),
        }
    }
}

/// Whether nimbus may have heard a call that failed.
fn was_reached(error: &ureq::Error) -> bool {
    use ureq::{Error, Timeout};
    match error {
        Error::Io(e) => e.kind() != std::io::ErrorKind::ConnectionRefused,
        Error::Timeout(timeout) => !matches!(timeout, Timeout::Resolve | Timeout::Connect),
        Error::Protocol(_) | Error::StatusCode(_) => true,
        _ => false,
    }
}

/// The path of a topology; what cannot be a name is not put into one.
fn topology(name: &str, rest: &str) -> Outcome<String> {
    if !is_topology_name(name) {
        return Err(Failure::Usage(format!("`{name}` is no name of a topology: expected letters, digits, `-`, `_` and `.`")));
    }
    Ok(format!("/v1/topologies/{name}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// A server that answers one call with these bytes and gives back what it was asked.
    fn answering(answer: &'static str) -> (Client, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Client::new(&format!("http://{}/", listener.local_addr().unwrap()), "t0ken").unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; 4096];
            let n = stream.read(&mut asked).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&asked[..n]).into_owned()
        });
        (client, server)
    }

    #[test]
    fn every_call_carries_the_token() {
        let (client, server) = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        assert_eq!(client.cluster().unwrap(), ClusterStatus::default());
        let asked = server.join().unwrap().to_lowercase();
        assert!(asked.starts_with("get /v1/cluster http/1.1\r\n"), "{asked}");
        assert!(asked.contains("authorization: bearer t0ken\r\n"), "{asked}");
    }

    #[test]
    fn a_problem_is_told_with_its_remedy_and_code() {
        let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 61\r\n\r\n{\"error\": \"no topology `digts`\", \"remedy\": \"see squall list\"}";
        let (client, server) = answering(answer);
        let failure = client.topology("digts").unwrap_err();
        server.join().unwrap();
        assert_eq!((failure.code(), failure.to_string().as_str()), (4, "no topology `digts`; see squall list"));
    }

    #[test]
    fn whether_something_was_done_is_not_known_where_the_answer_is_missing() {
        let (client, server) = answering("");
        let failure = client.activate("digits").unwrap_err();
        server.join().unwrap();
        assert!(
            failure.to_string().ends_with("; whether it was done is not known: look before you ask for it again"),
            "{failure}"
        );
        let (client, server) = answering("");
        let failure = client.cluster().unwrap_err();
        server.join().unwrap();
        assert!(failure.to_string().contains("did not answer") && !failure.to_string().contains("not known"), "{failure}");
        assert_eq!(failure.code(), 3);
    }

    #[test]
    fn nobody_there_is_an_outside_fault_and_a_name_never_becomes_a_path() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let client = Client::new(&url, "x").unwrap();
        assert_eq!(client.cluster().unwrap_err().code(), 3);
        assert_eq!(client.topology("../cluster").unwrap_err().code(), 2);
        assert_eq!(Client::new("ftp://x", "x").unwrap_err().code(), 2);
    }
}
