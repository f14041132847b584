//! Workers that do not come up, and why.

use squall_core::control::{ErrorEntry, Phase, WorkerSummary};

/// So many starts of one worker in vain, and it is not hoped for any more.
const RESTARTS: u64 = 3;

/// A worker that cannot be started, or was too often in vain.
pub(super) fn hopeless(workers: &[WorkerSummary]) -> Option<&WorkerSummary> {
    workers.iter().find(|w| w.problem.is_some() || w.restarts >= RESTARTS)
}

/// Why a worker does not run, with the newest error first of all; none while that is still to be told.
pub(super) fn reason(errors: &[ErrorEntry], worker: &WorkerSummary) -> Option<String> {
    if let Some(error) = errors.first() {
        let place = if error.component.is_empty() { String::new() } else { format!("`{}`: ", error.component) };
        return Some(format!("{place}{}", error.message));
    }
    if let Some(problem) = &worker.problem {
        return Some(problem.clone());
    }
    match &worker.last_exit {
        Some(exit) if exit.output.trim().is_empty() => Some(exit.how.clone()),
        Some(exit) => Some(format!("{}\n{}", exit.how, exit.output.trim())),
        None if worker.phase == Some(Phase::Failed) => None,
        None => Some("it ends again and again".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_core::control::Exit;

    fn why(worker: &WorkerSummary, errors: &[ErrorEntry]) -> Option<String> {
        reason(errors, hopeless(&[WorkerSummary::default(), worker.clone()])?)
    }

    #[test]
    fn hope_ends_with_a_problem_or_after_some_restarts_and_the_best_reason_is_told() {
        let exit = Exit { unix_ms: 0, incarnation: 1, how: "signal: 9".into(), output: "oh".into() };
        let once = WorkerSummary { restarts: RESTARTS - 1, last_exit: Some(exit), ..WorkerSummary::default() };
        assert_eq!(why(&once, &[]), None, "it may come up yet");
        let often = WorkerSummary { restarts: RESTARTS, ..once };
        assert_eq!(why(&often, &[]).as_deref(), Some("signal: 9\noh"));
        let problem = WorkerSummary { problem: Some("no such program".into()), ..often };
        assert_eq!(why(&problem, &[]).as_deref(), Some("no such program"));
        let error = ErrorEntry {
            unix_ms: 0,
            component: "c".into(),
            task: 1,
            worker: 1,
            host: String::new(),
            message: "no file".into(),
            count: 1,
            panic: false,
            stack: String::new(),
        };
        assert_eq!(why(&problem, &[error]).as_deref(), Some("`c`: no file"));
    }

    #[test]
    fn a_worker_that_has_just_failed_has_yet_to_say_why() {
        let failed = WorkerSummary { phase: Some(Phase::Failed), restarts: RESTARTS, ..WorkerSummary::default() };
        assert_eq!(why(&failed, &[]), None);
        let silent = WorkerSummary { restarts: RESTARTS, ..WorkerSummary::default() };
        assert_eq!(why(&silent, &[]).as_deref(), Some("it ends again and again"));
    }
}
