//! Models of texts: words or characters counted, weighted and scaled.
//!
//! A text becomes a row of numbers, one for each term, before anything else sees it: an estimator that takes
//! texts announces it (`reads`) and makes these rows (`read`, `read_table`), and its other methods go on from them.

mod analyze;
pub(crate) mod codes;
mod hashing;
mod stop_words;
mod tfidf;
mod vectorizer;
mod vocabulary;

pub(crate) use tfidf::TFIDF;
pub(crate) use vectorizer::VECTORIZER;

use crate::artefact::{Child, Node};

/// What the rows are that an estimator reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Numbers, where a category that is a text is one too.
    Numbers,
    /// A text each.
    Texts,
    /// Numbers, and texts that have to become several columns first.
    Table,
}

/// What an imported estimator reads.
fn reads(node: &Node) -> Reads {
    let texts = |child: &Child| reads(&child.node) == Reads::Texts;
    match &*node.op {
        "pipeline" => node.children.first().map_or(Reads::Numbers, |c| reads(&c.node)),
        "union" if !node.children.is_empty() && node.children.iter().all(texts) => Reads::Texts,
        "columns" if node.children.iter().any(texts) => Reads::Table,
        op if op == VECTORIZER.op => Reads::Texts,
        _ => Reads::Numbers,
    }
}

/// Whether every part of an imported estimator is given what it reads.
pub(crate) fn parts_fit(node: &Node) -> bool {
    let whole = reads(node);
    node.children.iter().enumerate().all(|(i, child)| match (reads(&child.node), &*node.op) {
        (Reads::Numbers, _) => true,
        (kind, "pipeline") => i == 0 && kind == whole,
        (Reads::Texts, "columns") => true,
        (kind, "union") => kind == Reads::Texts && kind == whole,
        _ => false,
    })
}
