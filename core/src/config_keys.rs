//! All that is wrong with a configuration, not only the first thing: serde stops at the first error, so what is faulty is
//! taken out, what is missing put in, and the rest is tried again. The keys a type knows come from its `Deserialize` itself.

use std::collections::BTreeMap;

use serde::Deserializer;
use serde::de::{DeserializeOwned, Visitor, value::Error as Nothing};
use serde_json::{Value, json};
use serde_path_to_error::Segment;

use crate::ConfigFault;
use crate::suggest::did_you_mean;

/// The keys of a configuration struct; `None` where it takes any (a map, a flattened struct).
pub(crate) fn keys_of<C: DeserializeOwned>() -> Option<&'static [&'static str]> {
    let mut keys = None;
    let _ = C::deserialize(Keys(&mut keys));
    keys
}

/// Everything that is wrong with a configuration, and the configuration itself if that is nothing but keys that its type does
/// not know.
pub(crate) fn read<C: DeserializeOwned>(config: &serde_json::Value) -> (Option<C>, Vec<ConfigFault>) {
    let mut faults = Vec::new();
    let mut rest = config.clone();
    if let (Some(known), Some(map)) = (keys_of::<C>(), rest.as_object_mut()) {
        map.retain(|key, _| {
            let fine = known.contains(&key.as_str());
            if !fine {
                let hint = did_you_mean(key, known.iter().copied());
                let hint = if hint.is_empty() { format!("; known keys: {}", list(known)) } else { hint };
                faults.push(ConfigFault { path: key.clone(), message: format!("unknown key `{key}`{hint}") });
            }
            fine
        });
    }
    let keys = faults.len();
    let mut tried = Tried { rest, left: BTreeMap::new() };
    let mut reported: Vec<String> = Vec::new();
    for _ in 0..MOST_FAULTS {
        let error = match tried.read::<C>() {
            Ok(config) => return ((faults.len() == keys).then_some(config), faults),
            Err(error) => error,
        };
        let message = error.inner().to_string();
        let (mut path, mut place) = tried.place(error.path());
        let at = path.clone();
        let (missing, unknown) = (named(&message, "missing field `"), named(&message, "unknown field `"));
        if let Some(key) = missing.or(unknown)
            && !matches!(place.last(), Some(Step::Key(last)) if unknown == Some(last))
        {
            path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            place.push(Step::Key(key.to_owned()));
        }
        // Of what was reported before, the place is empty now or filled with anything: that is no fault of its own.
        let shorter = message.starts_with("invalid length ") && tried.left.contains_key(&path);
        let emptied = |before: &String| is_in(&path, before) || (missing.is_some() && is_in(before, &path));
        if !shorter && !reported.iter().any(emptied) {
            faults.push(ConfigFault { path: if missing.is_some() { at } else { path.clone() }, message: message.clone() });
            reported.push(path.clone());
        }
        let gone_on = match missing {
            Some(key) if tried.fill::<C>(&place[..place.len() - 1], key) => true,
            Some(_) => {
                place.pop();
                tried.take_out(parent(&path), &place)
            }
            None => tried.take_out(&path, &place),
        };
        if !gone_on {
            break;
        }
    }
    (None, faults)
}

/// So many faults of one configuration are enough.
const MOST_FAULTS: usize = 100;

/// How long a list is put in where one is missing.
const LONGEST: usize = 16;

/// A configuration in which what is known to be wrong is taken out or replaced.
struct Tried {
    rest: Value,
    /// Of lists that something was taken out of, which elements are left, by place in the configuration that was given.
    left: BTreeMap<String, Vec<usize>>,
}

/// A step into a table or a list.
enum Step {
    Key(String),
    Index(usize),
}

impl Tried {
    fn read<C: DeserializeOwned>(&self) -> Result<C, serde_path_to_error::Error<serde_json::Error>> {
        serde_path_to_error::deserialize(&self.rest)
    }

    /// Where something is: as a text, in the configuration that was given; as steps, in this one.
    fn place(&self, path: &serde_path_to_error::Path) -> (String, Vec<Step>) {
        let (mut text, mut steps) = (String::new(), Vec::new());
        for segment in path.iter() {
            match segment {
                Segment::Seq { index } => {
                    let before = self.left.get(&text).and_then(|left| left.get(*index)).unwrap_or(index);
                    text = format!("{text}[{before}]");
                    steps.push(Step::Index(*index));
                }
                Segment::Map { key } | Segment::Enum { variant: key } => {
                    text = if text.is_empty() { key.clone() } else { format!("{text}.{key}") };
                    steps.push(Step::Key(key.clone()));
                }
                Segment::Unknown => break,
            }
        }
        (text, steps)
    }

    fn find(&mut self, place: &[Step]) -> Option<&mut Value> {
        place.iter().try_fold(&mut self.rest, |at, step| match step {
            Step::Key(key) => at.get_mut(key),
            Step::Index(index) => at.get_mut(*index),
        })
    }

    /// Takes something out; false if it is nothing that can be.
    fn take_out(&mut self, path: &str, place: &[Step]) -> bool {
        let Some((last, parent)) = place.split_last() else { return false };
        match (self.find(parent), last) {
            (Some(Value::Object(map)), Step::Key(key)) => map.shift_remove(key).is_some(),
            (Some(Value::Array(list)), Step::Index(index)) if *index < list.len() => {
                let before = list.len();
                list.remove(*index);
                let list = path.rsplit_once('[').map_or("", |(list, _)| list);
                self.left.entry(list.to_owned()).or_insert_with(|| (0..before).collect()).remove(*index);
                true
            }
            // Of a place that is not there, such as an enum's variant, all that it stands in.
            _ => self.take_out(self::parent(path), parent),
        }
    }

    /// Puts something that will do where a key is missing, so that what is behind it is read too.
    fn fill<C: DeserializeOwned>(&mut self, place: &[Step], key: &str) -> bool {
        let mut candidates = vec![json!(""), json!(1), json!(false), json!([]), json!({})];
        while let Some(candidate) = candidates.pop() {
            let Some(Value::Object(map)) = self.find(place) else { return false };
            map.insert(key.to_owned(), candidate);
            let Err(error) = self.read::<C>() else { return true };
            let inside = |path: &serde_path_to_error::Path| {
                let (_, steps) = self.place(path);
                matches!(steps.get(place.len()), Some(Step::Key(k)) if k == key)
            };
            let message = error.inner().to_string();
            let lacks = named(&message, "missing field `");
            // What a filled table lacks is filled in its turn.
            let settled = if inside(error.path()) { lacks.is_some() } else { lacks != Some(key) };
            if settled {
                return true;
            }
            // Of a choice, the first; of lists, a longer one.
            if let Some(rest) = message.strip_prefix("unknown variant ``, expected ") {
                candidates.extend(rest.split('`').nth(1).map(|variant| json!(variant)));
            } else if let Some(n) =
                message.strip_prefix("invalid length ").and_then(|rest| rest.split(',').next()?.parse::<usize>().ok())
                && n < LONGEST
            {
                candidates.push(json!(vec![1; n + 1]));
            }
        }
        if let Some(Value::Object(map)) = self.find(place) {
            map.shift_remove(key);
        }
        false
    }
}

/// The key that a message names behind its beginning.
fn named<'m>(message: &'m str, beginning: &str) -> Option<&'m str> {
    message.strip_prefix(beginning)?.split('`').next()
}

/// The place that a place stands in.
fn parent(path: &str) -> &str {
    path.rfind(['.', '[']).map_or("", |at| &path[..at])
}

/// Whether a place is another or in it.
fn is_in(path: &str, other: &str) -> bool {
    !other.is_empty() && path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn list(keys: &[&str]) -> String {
    if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }
}

/// A deserializer that has no data and only listens to what is asked of it.
struct Keys<'a>(&'a mut Option<&'static [&'static str]>);

impl<'de> Deserializer<'de> for Keys<'_> {
    type Error = Nothing;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Nothing> {
        Err(serde::de::Error::custom("only the keys are wanted"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Nothing> {
        *self.0 = Some(fields);
        Err(serde::de::Error::custom("only the keys are wanted"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only its errors are looked at")]
    struct Config {
        path: String,
        rows: u32,
        emit: Vec<u8>,
    }

    #[test]
    fn all_faults_are_found_each_at_its_place() {
        let (config, faults) = read::<Config>(&serde_json::json!({"pth": 1, "path": 3, "rows": -1, "emit": [1, "x"]}));
        assert!(config.is_none());
        let paths: Vec<&str> = faults.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["pth", "path", "rows", "emit[1]"]);
        assert!(faults[0].message.contains("did you mean `path`?"), "{}", faults[0].message);
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only its errors are looked at")]
    struct Deep {
        auth: Auth,
        list: Vec<Kind>,
        pair: [u8; 2],
        kind: Kind,
        last: bool,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "only its errors are looked at")]
    struct Auth {
        user: String,
        password: String,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        One,
        Two,
    }

    fn paths<C: DeserializeOwned>(config: serde_json::Value) -> Vec<String> {
        let (read, faults) = read::<C>(&config);
        assert!(read.is_none());
        faults
            .into_iter()
            .map(|f| named(&f.message, "missing field `").map_or(f.path.clone(), |key| format!("{}+{key}", f.path)))
            .collect()
    }

    #[test]
    fn faults_deep_inside_are_all_found_at_the_places_where_the_user_wrote_them() {
        let found = paths::<Deep>(json!({
            "auth": {"user": 1, "password": 2, "x": 3}, "list": ["one", "on", "two", "tw", 7], "pair": ["a", 300],
            "kind": "three", "last": 0,
        }));
        let mut sorted = found.clone();
        sorted.sort();
        let wanted =
            ["auth.password", "auth.user", "auth.x", "kind", "last", "list[1]", "list[3]", "list[4]", "pair[0]", "pair[1]"];
        assert_eq!(sorted, wanted, "{found:?}");
    }

    #[test]
    fn every_missing_key_is_named() {
        assert_eq!(paths::<Deep>(json!({})), ["+auth", "+list", "+pair", "+kind", "+last"]);
        assert_eq!(
            paths::<Deep>(json!({"auth": {}, "list": [], "pair": [1, 2], "kind": "one", "last": 1})),
            ["auth+user", "auth+password", "last"]
        );
    }

    proptest::proptest! {
        /// Whatever is written, it ends, and a configuration that is refused has a fault.
        #[test]
        fn it_always_ends_with_a_reason(text in r#"[\[\]{}:," a-z0-9]{0,40}"#) {
            let config = serde_json::from_str(&text).unwrap_or_else(|_| json!({"auth": text, "list": [text], "pair": {text.clone(): 1}}));
            let (config, faults) = read::<Deep>(&config);
            proptest::prop_assert!(config.is_some() != faults.iter().any(|f| !f.message.starts_with("unknown key")));
        }
    }

    #[test]
    fn a_missing_key_is_named() {
        let (_, faults) = read::<Config>(&serde_json::json!({"rows": 1, "emit": []}));
        assert_eq!(faults.len(), 1);
        assert!(faults[0].message.contains("missing field `path`"));
    }

    #[test]
    fn what_a_type_does_not_know_does_not_hide_the_rest() {
        let (config, faults) = read::<Config>(&serde_json::json!({"path": "a", "rows": 1, "emit": [], "rws": 2}));
        assert_eq!((config.unwrap().path.as_str(), faults.len()), ("a", 1));
    }
}
