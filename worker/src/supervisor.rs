//! The worker's side of what it and its supervisor say to each other.

use std::time::Duration;

use squall_core::control::{Hello, Launch, Orders, Report};
use squall_core::{Error, Result};

/// How long a call may take that is answered at once.
const CALL: Duration = Duration::from_secs(5);
/// Answers larger than this are refused.
const LARGEST: u64 = 64 << 20;

#[derive(Clone)]
pub(crate) struct Supervisor {
    agent: ureq::Agent,
    base: String,
    bearer: String,
    incarnation: u64,
}

/// What came of a question.
pub(crate) enum Answer<T> {
    Some(T),
    /// Nothing new.
    Nothing,
    /// This incarnation is not wanted any more.
    Unwanted,
}

impl Supervisor {
    pub(crate) fn new(launch: &Launch) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
        Supervisor {
            agent: config.new_agent(),
            base: format!("{}/v1/workers/{}/{}", launch.supervisor, launch.topology, launch.worker),
            bearer: format!("Bearer {}", launch.token),
            incarnation: launch.incarnation,
        }
    }

    pub(crate) fn hello(&self, hello: &Hello) -> Result<Answer<()>> {
        self.post("hello", hello)
    }

    pub(crate) fn report(&self, report: &Report) -> Result<Answer<()>> {
        self.post("report", report)
    }

    /// Orders newer than a revision; waits for them.
    pub(crate) fn orders(&self, after: u64, wait: Duration) -> Result<Answer<Orders>> {
        let path = format!("orders?incarnation={}&after={after}&wait_ms={}", self.incarnation, wait.as_millis());
        let url = format!("{}/{path}", self.base);
        let request = self.agent.get(&url).header("authorization", &self.bearer);
        let answer = request.config().timeout_global(Some(wait + CALL)).build().call();
        let mut answer = answer.map_err(|e| Error::external("no answer from the supervisor").because(e))?;
        match answer.status().as_u16() {
            200 => {
                let body = answer.body_mut().with_config().limit(LARGEST).read_to_vec();
                let body = body.map_err(|e| Error::external("the supervisor's answer broke off").because(e))?;
                Ok(Answer::Some(serde_json::from_slice(&body)?))
            }
            204 => Ok(Answer::Nothing),
            410 => Ok(Answer::Unwanted),
            other => Err(Error::external(format!("the supervisor answered {other} to {path}"))),
        }
    }

    fn post<T: serde::Serialize>(&self, what: &str, body: &T) -> Result<Answer<()>> {
        let request = self.agent.post(format!("{}/{what}", self.base)).header("authorization", &self.bearer);
        let answer = request.config().timeout_global(Some(CALL)).build().send_json(body);
        let answer = answer.map_err(|e| Error::external("no answer from the supervisor").because(e))?;
        match answer.status().as_u16() {
            200..300 => Ok(Answer::Some(())),
            410 => Ok(Answer::Unwanted),
            other => Err(Error::external(format!("the supervisor answered {other} to {what}"))),
        }
    }
}
