//! Durations and sizes as people write them.

use std::time::Duration;

/// A duration such as `250ms`, `30s`, `1.5m`, `2h`; a bare number is seconds.
///
/// # Errors
/// What was expected instead.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(squall_core::units::duration("250ms"), Ok(Duration::from_millis(250)));
/// assert!(squall_core::units::duration("fast").is_err());
/// ```
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration: expected a number with us, ms, s, m, h or d, such as \"30s\"");
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let number: f64 = text[..split].trim().replace('_', "").parse().map_err(|_| wrong())?;
    let unit = match &text[split..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return Err(wrong()),
    };
    Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())
}

/// The shortest exact way to write a duration that [`duration`] reads.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(squall_core::units::show(Duration::from_millis(1500)), "1500ms");
/// assert_eq!(squall_core::units::show(Duration::from_secs(30)), "30s");
/// ```
pub fn show(d: Duration) -> String {
    if d.subsec_nanos() == 0 {
        format!("{}s", d.as_secs())
    } else if d.subsec_nanos().is_multiple_of(1_000_000) {
        format!("{}ms", d.as_millis())
    } else {
        format!("{}us", d.as_micros())
    }
}

/// A size such as `64KiB`, `4 MB`, `1GiB`; a bare number is bytes.
///
/// # Errors
/// What was expected instead.
///
/// ```
/// assert_eq!(squall_core::units::bytes("64KiB"), Ok(65536));
/// ```
pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size: expected a number with B, kB, KiB, MB, MiB, GB or GiB, such as \"64KiB\"");
    let text = text.trim();
    let split = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let number: f64 = text[..split].trim().replace('_', "").parse().map_err(|_| wrong())?;
    let unit = match text[split..].to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "kib" => 1024.0,
        "mb" => 1e6,
        "mib" => 1_048_576.0,
        "gb" => 1e9,
        "gib" => 1_073_741_824.0,
        _ => return Err(wrong()),
    };
    let value = number * unit;
    if (0.0..9e18).contains(&value) { Ok(value as u64) } else { Err(wrong()) }
}

/// For configuration structs: `#[serde(with = "squall_core::units::duration_text")]`.
///
/// ```
/// #[derive(serde::Deserialize)]
/// struct C {
///     #[serde(with = "squall_core::units::duration_text")]
///     period: std::time::Duration,
/// }
/// let c: C = serde_json::from_str(r#"{"period": "3s"}"#).unwrap();
/// assert_eq!(c.period.as_secs(), 3);
/// ```
pub mod duration_text {
    use super::*;
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a duration such as \"30s\" or a number of seconds")]
    enum Given {
        Text(String),
        Seconds(f64),
    }

    /// Writes a duration as text.
    ///
    /// # Errors
    /// None but the serializer's.
    pub fn serialize<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&show(*d))
    }

    /// Reads a duration from text, or from a number of seconds.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        let parsed = match Given::deserialize(d)? {
            Given::Text(text) => duration(&text),
            Given::Seconds(s) => Duration::try_from_secs_f64(s).map_err(|_| format!("`{s}` is no duration")),
        };
        parsed.map_err(serde::de::Error::custom)
    }

    /// The same for an optional duration; needs `#[serde(default)]` beside it.
    pub mod option {
        use super::*;

        /// Writes a duration as text, or nothing.
        ///
        /// # Errors
        /// None but the serializer's.
        pub fn serialize<S: Serializer>(d: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
            match d {
                Some(d) => s.serialize_some(&show(*d)),
                None => s.serialize_none(),
            }
        }

        /// Reads a duration, or nothing.
        ///
        /// # Errors
        /// What was expected instead.
        pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Duration>, D::Error> {
            #[derive(Deserialize)]
            struct Inner(#[serde(with = "super")] Duration);
            Ok(Option::<Inner>::deserialize(d)?.map(|Inner(d)| d))
        }
    }
}
