//! Class probabilities from pairwise ones.
//!
//! The second method of Wu, Lin and Weng, "Probability estimates for multi-class classification by
//! pairwise coupling" (2004), with libsvm's stopping rule: the iteration ends well before it has
//! converged, so equal results need equal steps.

/// libsvm keeps pairwise probabilities this far from 0 and 1.
const MARGIN: f64 = 1e-7;

/// The probability that a decision value means the first of two classes (Platt's sigmoid).
pub(crate) fn platt(decision: f64, a: f64, b: f64) -> f64 {
    let t = decision * a + b;
    let p = if t >= 0.0 { (-t).exp() / (1.0 + (-t).exp()) } else { 1.0 / (1.0 + t.exp()) };
    p.clamp(MARGIN, 1.0 - MARGIN)
}

/// Work space for one number of classes.
pub(crate) struct Coupling {
    k: usize,
    /// `q[t][j]`: the quadratic form to be minimized over the simplex.
    q: Vec<f64>,
    qp: Vec<f64>,
}

impl Coupling {
    pub(crate) fn new(k: usize) -> Coupling {
        Coupling { k, q: vec![0.0; k * k], qp: vec![0.0; k] }
    }

    /// Fills `p` from `r`, where `r[i * k + j]` is the probability of class i against class j.
    pub(crate) fn solve(&mut self, r: &[f64], p: &mut [f64]) {
        let k = self.k;
        for t in 0..k {
            let mut diagonal = 0.0;
            for j in (0..k).filter(|j| *j != t) {
                diagonal += r[j * k + t] * r[j * k + t];
                self.q[t * k + j] = -r[j * k + t] * r[t * k + j];
            }
            self.q[t * k + t] = diagonal;
        }
        p.fill(1.0 / k as f64);
        let tolerance = 0.005 / k as f64;
        for _ in 0..k.max(100) {
            let mut pqp = self.refresh(p);
            let worst = self.qp.iter().map(|v| (v - pqp).abs()).fold(0.0, f64::max);
            if worst < tolerance {
                break;
            }
            for t in 0..k {
                let q_tt = self.q[t * k + t];
                let step = (pqp - self.qp[t]) / q_tt;
                let norm = 1.0 + step;
                p[t] += step;
                pqp = (pqp + step * (step * q_tt + 2.0 * self.qp[t])) / norm / norm;
                let row = &self.q[t * k..(t + 1) * k];
                for ((qp, q), p) in self.qp.iter_mut().zip(row).zip(p.iter_mut()) {
                    *qp = (*qp + step * q) / norm;
                    *p /= norm;
                }
            }
        }
    }

    /// Recomputes `Q·p`, and returns `pᵀ·Q·p`.
    fn refresh(&mut self, p: &[f64]) -> f64 {
        let mut pqp = 0.0;
        for ((row, qp), p_t) in self.q.chunks(self.k).zip(&mut self.qp).zip(p) {
            *qp = row.iter().zip(p).map(|(a, b)| a * b).sum();
            pqp += p_t * *qp;
        }
        pqp
    }
}
