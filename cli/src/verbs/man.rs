//! `squall man`: manual pages.

use std::path::PathBuf;

use crate::exit::{Failure, Outcome};
use crate::show::Show;

/// Writes the manual pages of squall and of each of its verbs into a folder.
///
/// Examples:
///   squall man /usr/local/share/man/man1
///   squall man . && man ./squall-tap.1
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The folder; made if it is not there.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

pub(crate) fn run(args: &Args, command: clap::Command, show: &Show) -> Outcome {
    let cannot = |e: std::io::Error| Failure::Outside(format!("cannot write to `{}`: {e}", args.dir.display()));
    std::fs::create_dir_all(&args.dir).map_err(cannot)?;
    clap_mangen::generate_to(command.disable_help_subcommand(true), &args.dir).map_err(cannot)?;
    show.remark(&format!("read one with `man {}`", args.dir.join("squall.1").display()));
    Ok(())
}
