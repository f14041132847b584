//! Browsers that have shown the token: a cookie that scripts cannot read and other sites cannot use. It is signed, not stored,
//! so that it outlives nimbus; a new token makes all of them worthless.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::{HeaderMap, Method};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::denied::{Denied, Kind};

/// A session ends after this time.
const LONGEST_MS: u64 = 14 * 24 * 3600 * 1000;
/// A one-time link is good for so long, and at most for so long.
const LINK_MS: u64 = 10 * 60 * 1000;
const LONGEST_LINK_MS: u64 = 24 * 3600 * 1000;
const MOST_LINKS: usize = 1000;

#[derive(Debug)]
pub(crate) struct Sessions {
    key: Vec<u8>,
    /// Cookies do not tell ports apart, so that two nimbuses on one machine need two names.
    name: String,
    /// Codes of one-time links, and until when they are good by the monotonic clock.
    codes: Mutex<BTreeMap<String, Duration>>,
}

impl Sessions {
    pub(crate) fn new(token: &str, port: u16) -> Self {
        Sessions { key: token.as_bytes().to_vec(), name: format!("squall-{port}"), codes: Mutex::default() }
    }

    fn mac(&self, until: u64) -> Hmac<Sha256> {
        // A key of any length will do, says RFC 2104.
        let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(&self.key).unwrap_or_else(|_| unreachable!("HMAC takes any key"));
        mac.update(format!("squall page session until {until}").as_bytes());
        mac
    }

    /// A `set-cookie` for a new session.
    pub(super) fn cookie(&self, unix_ms: u64) -> String {
        let until = unix_ms + LONGEST_MS;
        let signature: String = self.mac(until).finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
        format!("{}={until}.{signature}; Path=/; HttpOnly; SameSite=Strict; Max-Age={}", self.name, LONGEST_MS / 1000)
    }

    /// A `set-cookie` that ends a session.
    pub(super) fn no_cookie(&self) -> String {
        format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", self.name)
    }

    /// Whether a request comes from a page of this nimbus, opened by somebody who has shown the token.
    pub(super) fn admits(&self, method: &Method, headers: &HeaderMap, unix_ms: u64) -> bool {
        let mine = headers.get_all(COOKIE).iter().filter_map(|h| h.to_str().ok()).flat_map(|h| h.split(';'));
        let mine = mine.filter_map(|c| c.trim().strip_prefix(&self.name)?.strip_prefix('='));
        let good = mine.into_iter().any(|value| {
            let Some((until, signature)) = value.split_once('.') else { return false };
            let (Ok(until), Some(signature)) = (until.parse::<u64>(), unhex(signature)) else { return false };
            until > unix_ms && self.mac(until).verify_slice(&signature).is_ok()
        });
        // Another site that makes this browser call gets nothing, whatever the method; a browser that does not say where a call
        // comes from may only look.
        good && same_origin(headers) && (method.is_safe() || says_origin(headers))
    }

    pub(super) fn foreign() -> Denied {
        Denied::new(Kind::NoToken, "the call comes from another site", "open nimbus's own page")
    }

    /// A code for a one-time link, and for how long it is good.
    pub(super) fn code(&self, now: Duration, valid_ms: Option<u64>) -> Result<(String, u64), Denied> {
        let mut random = [0u8; 24];
        let read = std::fs::File::open("/dev/urandom").and_then(|mut f| std::io::Read::read_exact(&mut f, &mut random));
        read.map_err(squall_core::Error::from)?;
        let code: String = random.iter().map(|b| format!("{b:02x}")).collect();
        let valid_ms = valid_ms.unwrap_or(LINK_MS).min(LONGEST_LINK_MS);
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        codes.retain(|_, until| *until > now);
        if codes.len() >= MOST_LINKS {
            return Err(Denied::new(Kind::NotNow, format!("{MOST_LINKS} links are waiting to be used"), "use one of them"));
        }
        codes.insert(code.clone(), now + Duration::from_millis(valid_ms));
        Ok((code, valid_ms))
    }

    /// Whether a code is good; it is not a second time.
    pub(super) fn redeem(&self, code: &str, now: Duration) -> bool {
        let mut codes = self.codes.lock().unwrap_or_else(PoisonError::into_inner);
        codes.remove(code).is_some_and(|until| until > now)
    }
}

/// Whether nothing in the request says that another site made it.
pub(super) fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|v| v.to_str().unwrap_or("?"));
    // `none`: the user typed the address, or opened a link of another program.
    let site = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let host = headers.get(HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let origin = headers.get(ORIGIN).map(|o| o.to_str().unwrap_or("?"));
    let origin = origin.is_none_or(|o| o.strip_prefix("http://").or(o.strip_prefix("https://")).is_some_and(|o| o == host));
    site && origin
}

fn says_origin(headers: &HeaderMap) -> bool {
    headers.contains_key(ORIGIN) || headers.get("sec-fetch-site").is_some_and(|s| s == "same-origin")
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    (text.len() == 64).then(|| (0..text.len()).step_by(2).map(digits).collect())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str, more: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        let value = cookie.split(';').next().unwrap();
        map.insert(COOKIE, format!("other=1; {value}").parse().unwrap());
        map.insert(HOST, "127.0.0.1:6627".parse().unwrap());
        more.iter().for_each(|(name, value)| drop(map.insert(*name, value.parse().unwrap())));
        map
    }

    #[test]
    fn a_session_is_good_for_its_time_its_nimbus_and_its_own_page() {
        let sessions = Sessions::new("t0ken", 6627);
        let cookie = sessions.cookie(1000);
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
        let looks = |headers: &HeaderMap, at| sessions.admits(&Method::GET, headers, at);
        let acts = |headers: &HeaderMap| sessions.admits(&Method::POST, headers, 2000);
        assert!(looks(&headers(&cookie, &[]), 2000));
        assert!(!looks(&headers(&cookie, &[]), 1001 + LONGEST_MS), "too old");
        let forged = cookie.replacen('.', "0.", 1);
        assert!(!looks(&headers(&forged, &[]), 2000), "a longer time is another signature");
        assert!(!Sessions::new("another", 6627).admits(&Method::GET, &headers(&cookie, &[]), 2000));
        assert!(!Sessions::new("t0ken", 7000).admits(&Method::GET, &headers(&cookie, &[]), 2000));

        assert!(!acts(&headers(&cookie, &[])), "nothing says where it comes from");
        assert!(acts(&headers(&cookie, &[("origin", "http://127.0.0.1:6627")])));
        for (name, value) in [("origin", "http://127.0.0.1:8000"), ("origin", "null"), ("sec-fetch-site", "same-site")] {
            assert!(!acts(&headers(&cookie, &[(name, value)])), "{value}");
            assert!(!looks(&headers(&cookie, &[(name, value)]), 2000), "{value}");
        }
    }

    #[test]
    fn a_link_is_good_once_and_not_for_ever() {
        let (sessions, now) = (Sessions::new("t", 1), Duration::from_secs(5));
        let (code, valid) = sessions.code(now, None).unwrap();
        assert!(sessions.redeem(&code, now) && !sessions.redeem(&code, now));
        let (code, _) = sessions.code(now, None).unwrap();
        assert!(!sessions.redeem(&code, now + Duration::from_millis(valid)));
        assert!(!sessions.redeem("", now));
    }
}
