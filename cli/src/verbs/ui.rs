//! `squall ui`: a link to the web page.

use crate::client::{Client, Where};
use crate::exit::Outcome;
use crate::show::Show;

/// Prints a link that opens nimbus's web page, once, without asking for the token.
///
/// The link is good for ten minutes and for one browser; the address without it asks for the token instead.
///
/// Examples:
///   squall ui
///   xdg-open "$(squall ui)"
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args, place: &Where, show: &Show) -> Outcome {
    let link = Client::find(place)?.page_link(None)?;
    if show.json {
        return show.json(&serde_json::json!({ "url": link }));
    }
    show.line(&link)
}
