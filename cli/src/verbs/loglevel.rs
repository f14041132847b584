//! `squall loglevel`: what running workers log, for a time.

use std::time::Duration;

use squall_core::control::{Level, LogLevel, SetLog};

use super::kill::millis;
use crate::client::{Client, Where};
use crate::exit::{Failure, Outcome};
use crate::show::{Align, Show, age, until};

/// Has a topology's workers log more, or less, for a time; then they log again as the topology says.
///
/// A logger is the beginning of a module's path, such as squall_worker::link; `all` means every one. Without a logger, lists
/// the levels that count now.
///
/// Examples:
///   squall loglevel digits all debug --for 10m
///   squall loglevel digits squall_worker::link trace --for 30s
///   squall loglevel digits all reset
///   squall loglevel digits
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The topology's name or id.
    name: String,
    /// The logger, or `all`.
    #[arg(requires = "level")]
    logger: Option<String>,
    /// off, error, warn, info, debug or trace; `reset` ends an earlier one now.
    level: Option<String>,
    /// For how long, such as 90s, 10m or 2h.
    #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = some_time)]
    time: Duration,
}

pub(crate) fn run(args: &Args, place: &Where, show: &Show) -> Outcome {
    let client = Client::find(place)?;
    let levels = match (&args.logger, &args.level) {
        (Some(logger), Some(level)) => {
            let level = match level.as_str() {
                "reset" => None,
                level => Some(level.parse::<Level>().map_err(|e| Failure::Usage(format!("{e}, or reset")))?),
            };
            let logger = if logger == "all" { String::new() } else { logger.clone() };
            client.set_log(&args.name, &SetLog { logger, level, for_ms: millis(args.time) })?
        }
        _ => client.log_levels(&args.name)?,
    };
    if show.json { show.json(&levels) } else { table(&levels, show) }
}

fn some_time(text: &str) -> Result<Duration, String> {
    let time = squall_core::units::duration(text).map_err(|e| e.to_string())?;
    if time.is_zero() { Err("must be longer than nothing; `reset` ends a level now".to_owned()) } else { Ok(time) }
}

fn table(levels: &[LogLevel], show: &Show) -> Outcome {
    if levels.is_empty() {
        show.note("all loggers log as the topology says");
        return Ok(());
    }
    let row = |l: &LogLevel| {
        let logger = if l.logger.is_empty() { "all" } else { &l.logger };
        vec![logger.to_owned(), l.level.to_string(), age(until(l.until_unix_ms))]
    };
    let rows: Vec<Vec<String>> = levels.iter().map(row).collect();
    show.table(&[("logger", Align::Left), ("level", Align::Left), ("for another", Align::Right)], &rows)
}
