//! The `squall` command: every daemon and every client verb in one binary. Each verb has a file in `verbs/`.

mod args;
mod catalog;
mod client;
mod exit;
mod logging;
mod models;
mod show;
mod signals;
mod topology;
mod verbs;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::{Cli, Command, Global};
use client::Where;
use exit::{Failure, Outcome};
use show::Show;

/// Runs the command line, the program's name first.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let matches = args::with_exit_codes(Cli::command()).try_get_matches_from(args);
    let cli = match matches.and_then(|m| Cli::from_arg_matches(&m)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to stdout with code 0, errors to stderr with code 2; nobody reading is no failure.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    dispatch(&cli.command, &cli.global)
}

fn dispatch(command: &Command, global: &Global) -> ExitCode {
    let (show, place) = (Show::new(global.json), &global.place);
    // A worker logs to a file of its own, and has its own exit codes.
    if let Command::Worker(args) = command {
        return verbs::worker::run(args);
    }
    // A daemon begins when it knows its folder.
    if !command.is_daemon() {
        logging::to_stderr();
    }
    exit::finish(client_or_daemon(command, place, &show))
}

fn client_or_daemon(command: &Command, place: &Where, show: &Show) -> Outcome {
    match command {
        Command::Run(args) => verbs::run::run(args, show),
        Command::Submit(args) => verbs::submit::run(args, place, show),
        Command::List(args) => verbs::list::run(args, place, show),
        Command::Status(args) => verbs::status::run(args, place, show),
        Command::Cluster(args) => verbs::cluster::run(args, place, show),
        Command::Activate(args) => verbs::activate::run(args, place, show),
        Command::Deactivate(args) => verbs::activate::run_deactivate(args, place, show),
        Command::Rebalance(args) => verbs::rebalance::run(args, place, show),
        Command::Restart(args) => verbs::restart::run(args, place, show),
        Command::Kill(args) => verbs::kill::run(args, place, show),
        Command::Logs(args) => verbs::logs::run(args, place, show),
        Command::Loglevel(args) => verbs::loglevel::run(args, place, show),
        Command::Graph(args) => verbs::graph::run(args, place, show),
        Command::Errors(args) => verbs::errors::run(args, place, show),
        Command::Metrics(args) => verbs::metrics::run(args, place, show),
        Command::Top(args) => verbs::top::run(args, place, show),
        Command::Tap(args) => verbs::tap::run(args, place, show),
        Command::Ui(args) => verbs::ui::run(args, place, show),
        Command::Nimbus(args) => verbs::nimbus::run(args, show),
        Command::Supervisor(args) => verbs::supervisor::run(args, place, show),
        Command::Validate(args) => verbs::validate::run(args, show),
        Command::Test(args) => verbs::test::run(args, show),
        Command::Components(args) => verbs::components::run(args, show),
        Command::Model(args) => verbs::model::run(args, place, show),
        Command::Bench(args) => verbs::bench::run(args, show),
        Command::Completion(args) => verbs::completion::run(args, Cli::command()),
        Command::Man(args) => verbs::man::run(args, args::with_exit_codes(Cli::command()), show),
        Command::Worker(_) => Err(Failure::Failed("a worker is not started here".into())),
    }
}
