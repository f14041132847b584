//! Loops compiled for the widest vectors of the processor at hand, and the exponential that they need.

/// Runs `work` with the vector instructions this processor has. What it calls has to be inlined to profit.
#[inline(always)]
pub(crate) fn wide<T>(work: impl FnOnce() -> T) -> T {
    pulp::Arch::new().dispatch(work)
}

/// Each value to `e` to the power of it, to within 2 units in the last place.
pub(crate) fn exp_all(values: &mut [f64]) {
    wide(|| values.iter_mut().for_each(|v| *v = exp(*v)));
}

/// Each value to the logistic function of it.
pub(crate) fn expit_all(values: &mut [f64]) {
    wide(|| values.iter_mut().for_each(|v| *v = 1.0 / (1.0 + exp(-*v))));
}

/// Each value to its hyperbolic tangent, to within 1e-15.
pub(crate) fn tanh_all(values: &mut [f64]) {
    wide(|| values.iter_mut().for_each(|v| *v = 1.0 - 2.0 / (exp(2.0 * *v) + 1.0)));
}

/// Each value to itself where it is positive, else to 0.
pub(crate) fn relu_all(values: &mut [f64]) {
    wide(|| values.iter_mut().for_each(|v| *v = v.max(0.0)));
}

/// `2^k · e^r` with whole `k` and `r` within half of ln 2, and `e^r` by its Taylor series: no branch and no table, so
/// that a loop over it becomes vector instructions, which the library's function does not.
#[inline(always)]
pub(crate) fn exp(v: f64) -> f64 {
    // ln 2 in two parts, the first short enough for `k` times it to be exact (Cody and Waite, 1980).
    const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    // Added and taken away again, this rounds to a whole number.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    // Beyond these the result is 0 or infinite, and below the first it has fewer digits.
    const LOWEST: f64 = -708.0;
    const HIGHEST: f64 = 709.78;
    let within = v.clamp(LOWEST, HIGHEST);
    let shifted = within * std::f64::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = (within - k * LN2_HIGH) - k * LN2_LOW;
    let mut sum = 1.0 / 6_227_020_800.0;
    for factor in [
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        sum = sum * r + factor;
    }
    // The low bits of `shifted` are `k`; in the place of the exponent, added to that of the sum, they scale it.
    let scaled = f64::from_bits(sum.to_bits().wrapping_add(shifted.to_bits() << 52));
    let scaled = if v < LOWEST { 0.0 } else { scaled };
    if v > HIGHEST { f64::INFINITY } else { scaled }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_agree_with_the_library() {
        let mut worst = 0.0f64;
        for i in -70_000..70_900 {
            let v = f64::from(i) / 100.0;
            let (ours, theirs) = (exp(v), v.exp());
            worst = worst.max((ours - theirs).abs() / theirs);
        }
        assert!(worst < 5e-16, "{worst}");
        let mut ends = [0.0, -1e4, 1e4, f64::NAN, f64::NEG_INFINITY, f64::INFINITY, -0.0];
        exp_all(&mut ends);
        assert_eq!(ends[..3], [1.0, 0.0, f64::INFINITY]);
        assert!(ends[3].is_nan());
        assert_eq!(ends[4..], [0.0, f64::INFINITY, 1.0]);
    }

    #[test]
    fn curves_agree_with_the_library() {
        let points: Vec<f64> = (-4000..4000).map(|i| f64::from(i) / 100.0).collect();
        let (mut logistic, mut tanh) = (points.clone(), points.clone());
        expit_all(&mut logistic);
        tanh_all(&mut tanh);
        for ((v, l), t) in points.iter().zip(logistic).zip(tanh) {
            assert!((l - 1.0 / (1.0 + (-v).exp())).abs() < 1e-15);
            assert!((t - v.tanh()).abs() < 1e-15, "{v}");
        }
    }
}
