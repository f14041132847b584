//! `squall graph`: a topology as a drawing.

mod drawing;
mod svg;
mod terminal;
mod text;

use std::path::{Path, PathBuf};

use crate::client::{Client, Where};
use crate::exit::{Failure, Outcome};
use crate::show::{Show, width};
use crate::topology::{self, Given};
use drawing::Drawing;

/// Draws a topology: of a file, or one that runs.
///
/// In a terminal as boxes and lines, or where that is too narrow as a list; or as SVG, Graphviz DOT or Mermaid. With --json the components and what flows
/// between them.
///
/// Examples:
///   squall graph topologies/wordcount.toml
///   squall graph digits --format dot | dot -Tpng -o digits.png
///   squall graph digits -o digits.svg
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// A topology's file, or the name or id of one that runs.
    #[arg(value_name = "FILE|NAME")]
    what: PathBuf,
    /// How it is drawn; by default as the ending of --output says, else for a terminal.
    #[arg(long, short, value_enum)]
    format: Option<Format>,
    /// Write it to this file.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// For a file: gives the variable ${NAME} a value; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = topology::setting)]
    set: Vec<(String, String)>,
    /// For a file: the worker binary that has the topology's own component types.
    #[arg(long, value_name = "PATH")]
    worker: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Boxes and lines of text.
    Ascii,
    /// Graphviz.
    Dot,
    /// A picture.
    Svg,
    /// For Markdown.
    Mermaid,
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    let plan = if args.what.exists() {
        let given = Given { file: args.what.clone(), set: args.set.clone(), worker: args.worker.clone() };
        topology::ready(&given, show)?.plan
    } else {
        let name = args.what.to_string_lossy();
        let client = Client::find(place).map_err(|failure| match failure {
            // Perhaps a file was meant.
            Failure::Outside(text) => Failure::Outside(format!("there is no file `{name}`, and {text}")),
            other => other,
        })?;
        client.plan(&name)?
    };
    let drawing = Drawing::of(&plan);
    if show.json {
        return show.json(&drawing);
    }
    let text = match format(args)? {
        Format::Ascii => terminal::fitting(&drawing, unicode(), width().filter(|_| args.output.is_none())),
        Format::Dot => text::dot(&drawing),
        Format::Svg => svg::draw(&drawing),
        Format::Mermaid => text::mermaid(&drawing),
    };
    match &args.output {
        None => show.line(text.trim_end()),
        Some(path) => {
            std::fs::write(path, &text).map_err(|e| Failure::Outside(format!("cannot write `{}`: {e}", path.display())))
        }
    }
}

fn format(args: &Args) -> Outcome<Format> {
    if let Some(format) = args.format {
        return Ok(format);
    }
    let ending = args.output.as_deref().and_then(Path::extension).map(|e| e.to_string_lossy().to_lowercase());
    match ending.as_deref() {
        None | Some("txt") => Ok(Format::Ascii),
        Some("svg") => Ok(Format::Svg),
        Some("dot" | "gv") => Ok(Format::Dot),
        Some("mmd" | "mermaid" | "md") => Ok(Format::Mermaid),
        Some(other) => Err(Failure::Usage(format!("`.{other}` tells no format: say --format ascii, dot, svg or mermaid"))),
    }
}

/// Whether the terminal can show lines, as the locale says.
fn unicode() -> bool {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| set(name));
    // Without any, as in a container, terminals can all the same.
    locale.is_none_or(|l| l.to_lowercase().replace('-', "").contains("utf8"))
}
