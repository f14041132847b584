//! What an ONNX file says of labels, in the attributes of its nodes.
//!
//! Numbers of fields are those of `onnx.proto`: `ModelProto.graph` 7, `GraphProto.node` 1, `NodeProto.attribute` 5,
//! `AttributeProto.name` 1, `.ints` 8, `.strings` 9.

use super::proto::{Value, fields, within};
use crate::{Classes, Error};

/// The labels that the last classifier of the graph names.
pub(super) fn classes(model: &[u8]) -> Result<Option<Classes>, Error> {
    let mut found = None;
    for graph in within(model, 7)? {
        for node in within(graph, 1)? {
            for attribute in within(node, 5)? {
                found = labels(attribute)?.or(found);
            }
        }
    }
    Ok(found.filter(|c: &Classes| !c.is_empty()))
}

fn labels(attribute: &[u8]) -> Result<Option<Classes>, Error> {
    let names = within(attribute, 1)?;
    let Some(name) = names.first() else { return Ok(None) };
    match *name {
        b"classlabels_strings" => {
            let texts = within(attribute, 9)?;
            Ok(Some(Classes::Str(texts.into_iter().map(|t| String::from_utf8_lossy(t).into_owned()).collect())))
        }
        b"classlabels_int64s" | b"classlabels_ints" => {
            let mut ints = Vec::new();
            for field in fields(attribute) {
                let numbers = field?.of(8).map_or(Ok(Vec::new()), Value::numbers)?;
                ints.extend(numbers.into_iter().map(|n| n as i64));
            }
            Ok(Some(Classes::Int(ints)))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(number: u8, inner: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, inner.len() as u8], inner].concat()
    }

    #[test]
    fn labels_are_found_where_they_are() {
        let ints = [field(1, b"classlabels_int64s"), vec![8 << 3, 3, 8 << 3, 0x81, 0x01]].concat();
        let model = field(7, &field(1, &field(5, &ints)));
        assert_eq!(classes(&model).unwrap(), Some(Classes::Int(vec![3, 129])));
        let packed = [field(1, b"classlabels_ints"), field(8, &[1, 2])].concat();
        assert_eq!(classes(&field(7, &field(1, &field(5, &packed)))).unwrap(), Some(Classes::Int(vec![1, 2])));
        let texts = [field(1, b"classlabels_strings"), field(9, b"no"), field(9, b"yes")].concat();
        let model = field(7, &field(1, &field(5, &texts)));
        assert_eq!(classes(&model).unwrap(), Some(Classes::Str(vec!["no".into(), "yes".into()])));
        for cut in 1..model.len() {
            assert!(classes(&model[..cut]).is_err());
        }
        assert_eq!(classes(&[8, 7]).unwrap(), None);
    }
}
