//! All that is wrong with a configuration, not only the first thing: serde stops at the first error, so the faulty key is
//! taken out and the rest is tried again. The keys a type knows come from its `Deserialize` itself.

use serde::Deserializer;
use serde::de::{DeserializeOwned, Visitor, value::Error as Nothing};

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
    let unknown = faults.len();
    loop {
        let error = match serde_path_to_error::deserialize::<_, C>(&rest) {
            Ok(config) => return ((faults.len() == unknown).then_some(config), faults),
            Err(error) => error,
        };
        let path = error.path().to_string();
        let message = error.inner().to_string();
        let key = path.split(['.', '[']).next().unwrap_or_default().to_owned();
        // A key reported before was taken out, so what is said now is only that it is missing.
        if !faults
            .iter()
            .any(|f| message.contains(&format!("missing field `{}`", f.path.split(['.', '[']).next().unwrap_or(""))))
        {
            faults.push(ConfigFault { path: if path == "." { String::new() } else { path }, message });
        }
        if rest.as_object_mut().and_then(|map| map.shift_remove(&key)).is_none() {
            return (None, faults);
        }
    }
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
