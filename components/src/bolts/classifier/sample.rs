//! Scores for those who watch, where a classifier emits none: of some rows now and then, so that it is hardly slower.

use std::time::{Duration, Instant};

use ndarray::{Array2, s};
use squall_core::ModelMeter;
use squall_model::{Model, Rows};

/// A task samples at most so often.
const PAUSE: Duration = Duration::from_millis(100);
/// And so seldom that it takes no more than this part of its time.
const SHARE: u32 = 200;
/// So many rows of a batch, where it can be cut.
const MOST: usize = 16;

/// When scores are sampled next; never, once the model has none to give.
pub(super) struct Sample(Option<Instant>);

impl Sample {
    /// From now on, if it is wanted and the model gives scores.
    pub(super) fn new(wanted: bool, model: &Model) -> Self {
        Sample((wanted && (model.has_proba() || model.has_decision())).then(Instant::now))
    }

    /// Whether it is time.
    #[inline]
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.0.is_some_and(|next| now >= next)
    }

    /// Counts the scores of some of these rows.
    pub(super) fn take(&mut self, model: &Model, x: Rows<'_>, meter: &ModelMeter) {
        let begun = Instant::now();
        let first = x.nrows().min(MOST);
        let x = match x {
            Rows::F32(x) => Rows::F32(x.slice_move(s![..first, ..])),
            Rows::F64(x) => Rows::F64(x.slice_move(s![..first, ..])),
            whole => whole,
        };
        let scored = if model.has_proba() { model.predict_proba(x) } else { model.decision_function(x) };
        match scored {
            Ok(scores) => {
                meter.scores(highest(&scores));
                self.0 = Some(begun + PAUSE.max(begun.elapsed() * SHARE));
            }
            Err(error) => {
                log::debug!("no scores are sampled: {error}");
                self.0 = None;
            }
        }
    }
}

/// The highest score of each row; where there is one column, that.
pub(super) fn highest(scores: &Array2<f64>) -> impl Iterator<Item = f64> {
    scores.rows().into_iter().map(|row| row.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}
