//! Models of texts: words or characters counted, weighted and scaled.
//!
//! A text becomes a row of numbers, one for each term, before anything else sees it: an estimator that takes
//! texts announces it (`reads_text`) and makes these rows (`read`), and its other methods go on from them.

mod analyze;
mod hashing;
mod stop_words;
mod tfidf;
mod vectorizer;
mod vocabulary;

pub(crate) use tfidf::TFIDF;
pub(crate) use vectorizer::VECTORIZER;

use crate::artefact::Node;

/// Whether an estimator takes texts in place of numbers.
pub(crate) fn reads_text(node: &Node) -> bool {
    match &*node.op {
        "pipeline" => node.children.first().is_some_and(|c| reads_text(&c.node)),
        "union" => !node.children.is_empty() && node.children.iter().all(|c| reads_text(&c.node)),
        op => op == VECTORIZER.op,
    }
}
