//! Levels of loggers, as Storm's UI sets them: `ROOT` is every logger, a level without a target ends, a time-out is in seconds.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Request, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use squall_core::control::{Level, SetLog};

use super::{Answer, Failed};
use crate::cluster::LONGEST_LOG_MS;
use crate::denied::{Denied, Kind};
use crate::http::{Path, Shared, body};

const ROOT: &str = "ROOT";
const LONGEST: usize = 64 << 10;

/// The levels that count now. `timeout` is what is left of it.
pub(super) async fn get(State(nimbus): Shared, Path(id): Path<String>) -> Answer {
    let look = nimbus.look(|w| {
        let id = w.find(&id)?;
        Ok((w.log_levels(&id)?, w.plan(&id)?.settings.log))
    });
    let (levels, usual) = look.map_err(Failed::from)?;
    // It may name loggers too; Storm knows one level here.
    let usual = usual.parse::<Level>().unwrap_or(Level::Info).to_string().to_uppercase();
    let now = nimbus.unix_ms();
    let named = levels.into_iter().map(|l| {
        let left = l.until_unix_ms.saturating_sub(now).div_ceil(1000);
        let level = json!({
            "target_level": l.level.to_string().to_uppercase(), "reset_level": usual,
            "timeout": left, "timeout_epoch": l.until_unix_ms,
        });
        (if l.logger.is_empty() { ROOT.to_owned() } else { l.logger }, level)
    });
    Ok(Json(json!({"namedLoggerLevels": named.collect::<Map<String, Value>>()})))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    #[serde(rename = "namedLoggerLevels")]
    named: BTreeMap<String, Wanted>,
}

/// Storm's `reset_level` is not read: what the topology says counts again.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    target_level: Option<String>,
    timeout: Option<u64>,
}

/// Answers with the levels that count from then on.
pub(super) async fn set(State(nimbus): Shared, Path(id): Path<String>, request: Request) -> Answer {
    let Body { named } = body(request, LONGEST).await?;
    let wanted = |(logger, w): (String, Wanted)| {
        let level = w.target_level.as_deref().map(level).transpose()?;
        // 0 means until it is ended in Storm; here it ends after the longest time at last.
        let for_ms = w.timeout.filter(|s| *s > 0).map_or(LONGEST_LOG_MS, |s| s.saturating_mul(1000));
        Ok::<_, Denied>(SetLog { logger: if logger == ROOT { String::new() } else { logger }, level, for_ms })
    };
    let all = named.into_iter().map(wanted).collect::<Result<Vec<_>, _>>()?;
    let done_to = nimbus.change(|w| {
        let id = w.find(&id)?;
        w.set_log(&id, all).map(|_| id)
    })?;
    get(State(nimbus), Path(done_to)).await
}

/// Log4j has two levels more.
fn level(name: &str) -> Result<Level, Denied> {
    match name.to_ascii_uppercase().as_str() {
        "ALL" => Ok(Level::Trace),
        "FATAL" => Ok(Level::Error),
        _ => name.parse().map_err(|e: String| Denied::new(Kind::Wrong, e, "ALL and FATAL are understood too")),
    }
}
