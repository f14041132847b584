//! Terms and their columns, looked up where they lie in the mapped file.
//!
//! The bytes of all terms stand one after the other; a table of twice as many places as terms, a power of
//! two, says at the place of a term's hash, or the next free one after it, which term it is.

use super::hashing::murmur3;
use crate::Error;
use crate::artefact::{Builder, Node, Store, View};

#[derive(Debug)]
pub(super) struct Vocabulary {
    bytes: View<u8>,
    /// Where each term ends.
    ends: View<i64>,
    /// The column of each term.
    columns: View<i64>,
    /// Number of a term, or -1.
    table: View<i64>,
}

/// Stores the terms with their columns, in arrays whose names begin with `prefix`.
pub(super) fn store(prefix: &str, terms: &[(String, usize)], builder: &mut Builder, node: &mut Node) -> Result<(), Error> {
    let places = (terms.len().max(1) * 2).next_power_of_two();
    let mut table = vec![-1; places];
    let (mut bytes, mut ends, mut columns) = (Vec::new(), Vec::new(), Vec::new());
    for (i, (term, column)) in terms.iter().enumerate() {
        let mut place = murmur3(term.as_bytes()) as u32 as usize % places;
        while table[place] >= 0 {
            place = (place + 1) % places;
        }
        table[place] = i as i64;
        bytes.extend_from_slice(term.as_bytes());
        ends.push(bytes.len() as i64);
        columns.push(*column as i64);
    }
    builder.u8(node, &format!("{prefix}terms"), bytes)?;
    builder.i64(node, &format!("{prefix}ends"), ends)?;
    builder.i64(node, &format!("{prefix}columns"), columns)?;
    builder.i64(node, &format!("{prefix}table"), table)
}

impl Vocabulary {
    /// Whether a node has one of this prefix.
    pub(super) fn stands(prefix: &str, node: &Node) -> bool {
        node.tensors.contains_key(&format!("{prefix}terms"))
    }

    /// Views the terms; their columns are below `width`.
    pub(super) fn load(prefix: &str, node: &Node, store: &Store, width: usize) -> Result<Vocabulary, Error> {
        let role = |name: &str| format!("{prefix}{name}");
        let ends = store.i64(node, &role("ends"))?;
        let terms = ends.len();
        let columns = store.i64(node, &role("columns"))?.expect(node, &role("columns"), &[terms])?;
        let table = store.i64(node, &role("table"))?;
        let bytes = store.u8(node, &role("terms"))?;
        let mut last = 0;
        let ascending = ends.slice().iter().all(|end| {
            let fits = *end >= last && usize::try_from(*end).is_ok_and(|e| e <= bytes.len());
            last = *end;
            fits
        });
        let inside = |c: &i64| usize::try_from(*c).is_ok_and(|c| c < width);
        // A free place ends every search.
        let sound = table.slice().iter().all(|t| *t < terms as i64) && table.slice().iter().any(|t| *t < 0);
        if !ascending || !sound || !columns.slice().iter().all(inside) || !table.len().is_power_of_two() {
            return Err(node.broken("its vocabulary does not add up"));
        }
        Ok(Vocabulary { bytes, ends, columns, table })
    }

    pub(super) fn column(&self, term: &str) -> Option<usize> {
        let (table, ends, bytes) = (self.table.slice(), self.ends.slice(), self.bytes.slice());
        let mut place = murmur3(term.as_bytes()) as u32 as usize & (table.len() - 1);
        loop {
            let i = usize::try_from(table[place]).ok()?;
            let start = if i == 0 { 0 } else { ends[i - 1] as usize };
            if &bytes[start..ends[i] as usize] == term.as_bytes() {
                return Some(self.columns.slice()[i] as usize);
            }
            place = (place + 1) & (table.len() - 1);
        }
    }
}
