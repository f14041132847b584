//! Debugging, as Storm's UI switches it: a share of the tuples goes to the workers' logs.

use axum::extract::State;

use super::Answer;
use super::actions::done;
use crate::denied::{Denied, Kind};
use crate::http::{Path, Shared};
use crate::nimbus::Nimbus;

pub(super) async fn whole(State(nimbus): Shared, path: Result<Path<(String, String, f64)>, Denied>) -> Answer {
    let Path((id, action, percent)) = path?;
    set(&nimbus, &id, None, &action, percent)
}

pub(super) async fn component(State(nimbus): Shared, path: Result<Path<(String, String, String, f64)>, Denied>) -> Answer {
    let Path((id, component, action, percent)) = path?;
    set(&nimbus, &id, Some(&component), &action, percent)
}

fn set(nimbus: &Nimbus, id: &str, component: Option<&str>, action: &str, percent: f64) -> Answer {
    let share = match action {
        "enable" => Some(percent),
        "disable" => None,
        _ => {
            return Err(
                Denied::new(Kind::Wrong, "debugging is neither enabled nor disabled by this", "`enable` or `disable`").into()
            );
        }
    };
    let id = nimbus.change(|w| {
        let id = w.find(id)?;
        w.set_debug(&id, component, share).map(|()| id)
    })?;
    done(&format!("debug/{action}"), &id)
}
