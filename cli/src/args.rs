//! The tree of commands; each verb's own arguments stand in its file.

use clap::builder::styling::Styles;

use crate::client::Where;
use crate::exit::CODES;
use crate::verbs;

/// Storm-style stream processing with machine-learning models, without a JVM.
#[derive(Debug, clap::Parser)]
#[command(name = "squall", version, propagate_version = true, styles = Styles::styled(), max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every verb understands.
#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    /// JSON on stdout instead of tables and text.
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) place: Where,
}

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Run(verbs::run::Args),
    Submit(verbs::submit::Args),
    List(verbs::list::Args),
    Status(verbs::status::Args),
    Cluster(verbs::cluster::Args),
    Activate(verbs::activate::Args),
    Deactivate(verbs::activate::DeactivateArgs),
    Rebalance(verbs::rebalance::Args),
    Restart(verbs::restart::Args),
    Kill(verbs::kill::Args),
    Logs(verbs::logs::Args),
    Loglevel(verbs::loglevel::Args),
    Top(verbs::top::Args),
    Errors(verbs::errors::Args),
    Metrics(verbs::metrics::Args),
    Tap(verbs::tap::Args),
    Graph(verbs::graph::Args),
    Ui(verbs::ui::Args),
    Nimbus(verbs::nimbus::Args),
    Supervisor(verbs::supervisor::Args),
    Worker(verbs::worker::Args),
    Validate(verbs::validate::Args),
    Test(verbs::test::Args),
    Components(verbs::components::Args),
    Model(verbs::model::Args),
    Bench(verbs::bench::Args),
    Completion(verbs::completion::Args),
    Man(verbs::man::Args),
}

impl Command {
    /// Whether it runs until it is stopped, and so logs what it does to a file of its own.
    pub(crate) fn is_daemon(&self) -> bool {
        matches!(self, Command::Nimbus(_) | Command::Supervisor(_))
    }
}

/// The exit codes below the help of every command; and no full stop behind what stands in a list.
pub(crate) fn with_exit_codes(command: clap::Command) -> clap::Command {
    let about = command.get_about().map(|text| text.to_string().trim_end_matches('.').to_owned());
    let command = command.about(about.unwrap_or_default()).after_help(CODES);
    let names: Vec<String> = command.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, with_exit_codes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_tree_is_sound_and_every_verb_has_help() {
        let command = with_exit_codes(Cli::command());
        command.clone().debug_assert();
        for verb in command.get_subcommands() {
            assert!(verb.get_about().is_some(), "`{}` has no help", verb.get_name());
        }
    }
}
