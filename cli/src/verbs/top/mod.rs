//! `squall top`: the cluster, live.

mod draw;
mod page;
mod state;

use std::io::IsTerminal;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyEventKind};

use crate::client::{Client, Where};
use crate::exit::{Failure, Outcome};
use crate::show::Show;
use page::{Page, View};
use state::{Act, State};

/// How long a key is waited for before the picture is drawn anew.
const GLANCE: Duration = Duration::from_millis(100);

/// Shows topologies, their components and tasks as a table that is always up to date.
///
/// Up and down choose a row, Enter goes into it, Esc back; left and right choose the column to sort by, r turns the order
/// around; space holds the picture; q ends.
///
/// Examples:
///   squall top
///   squall top digits
///   squall top --every 5s
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Begin with this topology.
    name: Option<String>,
    /// How often the numbers are fetched.
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = squall_core::units::duration)]
    every: Duration,
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    let client = Client::find(place)?;
    let first = match &args.name {
        Some(name) => View::Topology(client.topology(name)?.id),
        None => View::Cluster,
    };
    if show.json {
        // For scripts: one look.
        return match &first {
            View::Topology(id) => show.json(&client.topology(id)?),
            _ => show.json(&client.cluster()?),
        };
    }
    if !std::io::stdout().is_terminal() {
        return Err(Failure::Usage("`squall top` needs a terminal; `squall metrics NAME` and --json do not".into()));
    }
    let mut state = State::new(first);
    // Not before something is there to be shown, and what keeps it from that can still be told.
    state.take(page::fetch(&client, state.view())?);
    let (wanted, pages) = fetcher(client, state.view().clone(), args.every)?;
    let mut terminal = ratatui::try_init().map_err(|e| Failure::Outside(format!("cannot use the terminal: {e}")))?;
    let ended = live(&mut terminal, &mut state, &wanted, &pages);
    ratatui::restore();
    ended
}

type Fetched = (View, Outcome<Page>);

/// A thread that fetches what is wanted, again and again, so that a slow nimbus makes no key wait.
fn fetcher(client: Client, first: View, every: Duration) -> Outcome<(Sender<View>, Receiver<Fetched>)> {
    let (wanted, asks) = channel::<View>();
    let (to, pages) = channel();
    let fetch = move || {
        let mut view = first;
        loop {
            match asks.recv_timeout(every) {
                Ok(other) => view = asks.try_iter().last().unwrap_or(other),
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {}
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
            }
            if to.send((view.clone(), page::fetch(&client, &view))).is_err() {
                return;
            }
        }
    };
    let thread = std::thread::Builder::new().name("top".to_owned()).spawn(fetch);
    thread.map_err(|e| Failure::Outside(format!("cannot start a thread: {e}")))?;
    Ok((wanted, pages))
}

fn live(
    terminal: &mut ratatui::DefaultTerminal,
    state: &mut State,
    wanted: &Sender<View>,
    pages: &Receiver<Fetched>,
) -> Outcome {
    let failed = |e: std::io::Error| Failure::Outside(format!("cannot use the terminal: {e}"));
    loop {
        for (view, page) in pages.try_iter() {
            match page {
                _ if view != *state.view() => {}
                Ok(page) => state.take(page),
                // Where one looks is gone: back to what is there.
                Err(Failure::NotFound(_)) if state.back() => drop(wanted.send(state.view().clone())),
                Err(failure) => state.trouble(failure.to_string()),
            }
        }
        terminal.draw(|frame| draw::draw(frame, state)).map_err(failed)?;
        if !event::poll(GLANCE).map_err(failed)? {
            continue;
        }
        if let Event::Key(key) = event::read().map_err(failed)?
            && key.kind == KeyEventKind::Press
        {
            match state.key(key.code, key.modifiers) {
                Act::Nothing => {}
                Act::Look => drop(wanted.send(state.view().clone())),
                Act::End => return Ok(()),
            }
        }
    }
}
