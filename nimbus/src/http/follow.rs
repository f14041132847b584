//! Many logs followed at once: one long poll for each, their lines in one stream of events.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::response::Response;
use squall_core::control::{LineFilter, LogLine, LogStream, Problem};
use squall_logs::Ask;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::log_search::{End, Lines, search_all};
use super::log_source::{Log, Whose};
use super::sse::{Events, NobodyListens, stream};
use crate::denied::Denied;
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
    pub(super) whose: Whose,
    pub(super) lines: Lines,
}

/// Answers with the newest lines, and goes on with what comes, until nobody listens.
pub(super) async fn follow_all(follow: Follow) -> Result<Response, Denied> {
    let tail = follow.lines.tail.min(squall_logs::MOST_LINES);
    let (newest, ends) = search_all(&follow.nimbus, &follow.whose, &follow.lines, tail).await?;
    let (events, response) = stream();
    tokio::spawn(go_on(follow, newest.lines, ends, events));
    Ok(response)
}

/// Sends these lines, then what comes after these ends.
async fn go_on(follow: Follow, newest: Vec<LogLine>, ends: Vec<End>, mut events: Events) {
    if !newest.is_empty() && events.send("lines", &newest).await.is_err() {
        return;
    }
    let (send, mut receive) = mpsc::channel::<Vec<LogLine>>(64);
    let (mut readers, mut known) = (JoinSet::new(), BTreeSet::new());
    let mut start = |readers: &mut JoinSet<()>, log: Log, at: u64| {
        let wanted = follow.lines.worker.is_none_or(|only| log.worker() == Some(only));
        if wanted && known.insert(log.clone()) {
            let one = One { nimbus: follow.nimbus.clone(), log, stream: follow.lines.stream };
            readers.spawn(read_on(one, at, follow.lines.filter(), send.clone()));
        }
    };
    for (log, at) in ends {
        start(&mut readers, log, at);
    }
    let (mut look, mut closing) = (tokio::time::interval(LOOK), follow.nimbus.closing());
    loop {
        let lines = tokio::select! {
            lines = receive.recv() => lines,
            _ = look.tick() => None,
            _ = closing.wait_for(|c| *c) => return,
        };
        let sent: Result<(), NobodyListens> = match lines {
            Some(lines) => pass_on(&mut events, lines, &mut receive).await,
            None => {
                let logs = match follow.whose.logs(&follow.nimbus) {
                    Ok(logs) => logs,
                    Err(gone) => return drop(events.send("gone", &gone.problem).await),
                };
                // Workers that came to other machines meanwhile, and new machines.
                logs.into_iter().for_each(|log| start(&mut readers, log, 0));
                events.pulse().await
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
    log: Log,
    stream: LogStream,
}

async fn read_on(one: One, mut at: u64, mut filter: LineFilter, send: mpsc::Sender<Vec<LogLine>>) {
    let mut half: Vec<u8> = Vec::new();
    let mut file: Option<u64> = None;
    loop {
        let follow_ms = POLL.as_millis() as u64;
        let wanted = Ask { file, offset: Some(at), follow_ms, stream: one.stream, ..Ask::default() };
        let Some((piece, host)) = one.log.piece(&one.nimbus, &wanted).await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        if piece.offset != at || file.is_some_and(|f| f != piece.file) {
            // It was put aside; no line goes on in the next file.
            half.clear();
        }
        file = Some(piece.file);
        at = piece.offset + piece.bytes.len() as u64;
        half.extend_from_slice(&piece.bytes);
        let whole = half.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        let text = String::from_utf8_lossy(&half[..whole]).into_owned();
        let mut offset = at - half.len() as u64;
        half.drain(..whole);
        half.truncate(LONGEST_LINE);
        let mut lines = Vec::new();
        for line in text.lines() {
            if filter.wants(line) {
                let text = line.chars().take(LONGEST_LINE).collect();
                lines.push(one.log.line(&host, offset, text));
            }
            offset += line.len() as u64 + 1;
        }
        if !lines.is_empty() && send.send(lines).await.is_err() {
            return;
        }
    }
}
