//! `squall completion`: the shell's completion script.

use clap_complete::Shell;

use crate::exit::Outcome;

/// Prints a completion script for a shell.
///
/// Examples:
///   squall completion bash > /etc/bash_completion.d/squall
///   squall completion zsh > "${fpath[1]}/_squall"
///   squall completion fish > ~/.config/fish/completions/squall.fish
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(args: &Args, mut command: clap::Command) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "squall", &mut script);
    std::io::Write::write_all(&mut std::io::stdout(), &script).map_err(crate::show::written)
}
