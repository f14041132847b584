//! How much a fitted estimator makes of each feature, for `SelectFromModel`.

use crate::Error;
use crate::estimators::trees;
use crate::import::Obj;

/// Which features `SelectFromModel` keeps.
pub(super) fn chosen(object: &Obj<'_>) -> Result<Vec<bool>, Error> {
    let estimator = match object.some("estimator_") {
        Some(_) => object.object("estimator_")?,
        // Fitted before, with prefit=True.
        None => object.object("estimator")?,
    };
    if object.word("importance_getter", "auto") != "auto" {
        return Err(Error::unsupported(object.class(), "its importance_getter is not \"auto\""));
    }
    let scores = importances(object, &estimator)?;
    let threshold = threshold(object, &estimator, &scores)?;
    let limit = ["max_features_", "max_features"].iter().find(|name| object.some(name).is_some());
    let mut mask = vec![limit.is_none(); scores.len()];
    if let Some(limit) = limit {
        // The largest first, and of equals the earlier one.
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        order.iter().take(object.size(limit)?).for_each(|i| mask[*i] = true);
    }
    for (mask, score) in mask.iter_mut().zip(&scores) {
        *mask &= *score >= threshold;
    }
    Ok(mask)
}

fn importances(object: &Obj<'_>, estimator: &Obj<'_>) -> Result<Vec<f64>, Error> {
    if estimator.some("coef_").is_none() {
        return trees::importances(estimator);
    }
    let weights = estimator.floats("coef_")?;
    if weights.ndim() == 1 {
        return Ok(weights.iter().map(|v| v.abs()).collect());
    }
    let order = object.some("norm_order").and_then(|v| v.float()).unwrap_or(1.0);
    let norm = |column: ndarray::ArrayView1<'_, f64>| {
        let sizes = column.iter().map(|v| v.abs());
        match order {
            f64::INFINITY => sizes.fold(0.0, f64::max),
            f64::NEG_INFINITY => sizes.fold(f64::INFINITY, f64::min),
            order => sizes.map(|v| v.powf(order)).sum::<f64>().powf(1.0 / order),
        }
    };
    Ok(estimator.matrix("coef_")?.columns().into_iter().map(norm).collect())
}

fn threshold(object: &Obj<'_>, estimator: &Obj<'_>, scores: &[f64]) -> Result<f64, Error> {
    let word = match object.some("threshold") {
        None if lasso_like(estimator) => return Ok(1e-5),
        None => "mean".into(),
        Some(value) => match (value.float(), value.text()) {
            (Some(number), _) => return Ok(number),
            (_, Some(word)) => word,
            _ => return Err(object.wrong("threshold", "is neither a number nor a word")),
        },
    };
    let (scale, reference) = word.split_once('*').unwrap_or(("1", &*word));
    let scale: Option<f64> = scale.trim().parse().ok();
    let reference = match reference.trim() {
        "mean" => Some(scores.iter().sum::<f64>() / scores.len().max(1) as f64),
        "median" => Some(median(scores)),
        _ => None,
    };
    match (scale, reference) {
        (Some(scale), Some(reference)) => Ok(scale * reference),
        _ => Err(object.wrong("threshold", "is neither a number nor a multiple of the mean or median")),
    }
}

/// Estimators whose penalty makes weights exactly zero.
fn lasso_like(estimator: &Obj<'_>) -> bool {
    let one = |name: &str| {
        let ratios = estimator.some(name).and_then(|v| v.floats());
        ratios.is_some_and(|r| r.iter().all(|v| (v - 1.0).abs() <= 1e-8 + 1e-5))
    };
    estimator.word("penalty", "") == "l1"
        || match estimator.name() {
            "ElasticNet" | "LogisticRegression" => one("l1_ratio"),
            "ElasticNetCV" | "LogisticRegressionCV" => one("l1_ratio_"),
            name => name.contains("Lasso"),
        }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match (sorted.len(), sorted.len() / 2) {
        (0, _) => f64::NAN,
        (n, middle) if n % 2 == 1 => sorted[middle],
        (_, middle) => (sorted[middle - 1] + sorted[middle]) / 2.0,
    }
}
