//! All logs of a topology followed at once: one long poll for each, their lines in one stream of events.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use squall_core::control::{LineFilter, LogLine, LogStream, Problem};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::ask::ask;
use super::logs::{End, Lines};
use super::sse::{Events, NobodyListens};
use crate::nimbus::Nimbus;

const POLL: Duration = Duration::from_secs(20);
/// How often it is looked whether there are workers elsewhere, and whether somebody still listens.
const LOOK: Duration = Duration::from_secs(5);
/// After a supervisor that did not answer.
const PAUSE: Duration = Duration::from_secs(1);
/// Lines that come close together are one event.
const TOGETHER: Duration = Duration::from_millis(50);
/// More lines than anybody reads: the rest of an event is left out, and said to be.
const MOST_LINES: usize = 2000;
const LONGEST_LINE: usize = 8 << 10;

pub(super) struct Follow {
    pub(super) nimbus: Arc<Nimbus>,
    pub(super) id: String,
    pub(super) lines: Lines,
    pub(super) events: Events,
}

/// Sends these lines, then what comes after these ends, until nobody listens.
pub(super) async fn follow_all(mut follow: Follow, newest: Vec<LogLine>, ends: Vec<End>) {
    if !newest.is_empty() && follow.events.send("lines", &newest).await.is_err() {
        return;
    }
    let (send, mut receive) = mpsc::channel::<Vec<LogLine>>(64);
    let (mut readers, mut known) = (JoinSet::new(), BTreeSet::new());
    let mut start = |readers: &mut JoinSet<()>, supervisor: String, worker: u32, at: u64, follow: &Follow| {
        if follow.lines.worker.is_none_or(|only| only == worker) && known.insert((supervisor.clone(), worker)) {
            let one =
                One { nimbus: follow.nimbus.clone(), id: follow.id.clone(), supervisor, worker, stream: follow.lines.stream };
            readers.spawn(read_on(one, at, follow.lines.filter(), send.clone()));
        }
    };
    for (supervisor, worker, at) in ends {
        start(&mut readers, supervisor, worker, at, &follow);
    }
    let (mut look, mut closing) = (tokio::time::interval(LOOK), follow.nimbus.closing());
    loop {
        let lines = tokio::select! {
            lines = receive.recv() => lines,
            _ = look.tick() => None,
            _ = closing.wait_for(|c| *c) => return,
        };
        let sent: Result<(), NobodyListens> = match lines {
            Some(lines) => pass_on(&mut follow.events, lines, &mut receive).await,
            None => {
                let seats = match follow.nimbus.look(|w| w.seats(&follow.id)) {
                    Ok(seats) => seats,
                    Err(gone) => return drop(follow.events.send("gone", &gone.problem).await),
                };
                // Workers that came to other machines meanwhile.
                for (worker, supervisor) in seats {
                    start(&mut readers, supervisor, worker, 0, &follow);
                }
                follow.events.pulse().await
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Sends lines, with those that come at about the same time.
async fn pass_on(
    events: &mut Events,
    mut lines: Vec<LogLine>,
    receive: &mut mpsc::Receiver<Vec<LogLine>>,
) -> Result<(), NobodyListens> {
    let until = tokio::time::Instant::now() + TOGETHER;
    while lines.len() < MOST_LINES
        && let Ok(Some(more)) = tokio::time::timeout_at(until, receive.recv()).await
    {
        lines.extend(more);
    }
    let left_out = lines.len().saturating_sub(MOST_LINES);
    lines.drain(..left_out);
    if left_out > 0 {
        let error = format!("{left_out} lines left out: they come faster than they can be shown");
        events.send("trouble", &Problem { error, ..Problem::default() }).await?;
    }
    events.send("lines", &lines).await
}

/// One log.
struct One {
    nimbus: Arc<Nimbus>,
    id: String,
    supervisor: String,
    worker: u32,
    stream: LogStream,
}

async fn read_on(one: One, mut at: u64, mut filter: LineFilter, send: mpsc::Sender<Vec<LogLine>>) {
    let mut half: Vec<u8> = Vec::new();
    let mut file: Option<u64> = None;
    loop {
        let Ok(Some((url, host))) = one.nimbus.look(|w| Ok(w.reach(&one.supervisor))) else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let path = format!(
            "/v1/logs/{}/{}?{}offset={at}&follow_ms={}&stream={}",
            one.id,
            one.worker,
            file.map_or_else(String::new, |f| format!("file={f}&")),
            POLL.as_millis(),
            one.stream.name()
        );
        let Ok((status, headers, bytes)) = ask(one.nimbus.token(), &url, &path, POLL + PAUSE).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let number = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
        let (true, Some(from), Some(next)) = (status.is_success(), number("squall-offset"), number("squall-next")) else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let now = number("squall-file");
        if from != at || file.is_some() && now != file {
            // It was put aside; no line goes on in the next file.
            half.clear();
        }
        file = now;
        at = next;
        half.extend_from_slice(&bytes);
        let whole = half.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        let text = String::from_utf8_lossy(&half[..whole]).into_owned();
        let mut offset = at - half.len() as u64;
        half.drain(..whole);
        half.truncate(LONGEST_LINE);
        let mut lines = Vec::new();
        for line in text.lines() {
            if filter.wants(line) {
                let (supervisor, host) = (one.supervisor.clone(), host.clone());
                let text = line.chars().take(LONGEST_LINE).collect();
                lines.push(LogLine { worker: one.worker, supervisor, host, file: 0, offset, text });
            }
            offset += line.len() as u64 + 1;
        }
        if !lines.is_empty() && send.send(lines).await.is_err() {
            return;
        }
    }
}
