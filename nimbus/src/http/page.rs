//! The web page: its files are part of the program, and nothing of them is fetched from elsewhere.

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Json, extract};
use serde::{Deserialize, Serialize};
use squall_core::control::bearer_matches;

use super::Shared;
use super::answer::{Path, body};
use super::session::{Sessions, same_origin};
use crate::denied::{Denied, Kind};

/// Every file of the page by its path below `/ui/`.
const FILES: &[(&str, &str, &str)] = &[
    ("index.html", HTML, include_str!("../../ui/index.html")),
    ("style.css", "text/css; charset=utf-8", include_str!("../../ui/style.css")),
    ("icon.svg", "image/svg+xml", include_str!("../../ui/icon.svg")),
    ("main.js", JS, include_str!("../../ui/main.js")),
    ("dom.js", JS, include_str!("../../ui/dom.js")),
    ("format.js", JS, include_str!("../../ui/format.js")),
    ("net.js", JS, include_str!("../../ui/net.js")),
    ("dialog.js", JS, include_str!("../../ui/dialog.js")),
    ("table.js", JS, include_str!("../../ui/table.js")),
    ("chart.js", JS, include_str!("../../ui/chart.js")),
    ("scores.js", JS, include_str!("../../ui/scores.js")),
    ("graph.js", JS, include_str!("../../ui/graph.js")),
    ("pages/actions.js", JS, include_str!("../../ui/pages/actions.js")),
    ("pages/charts.js", JS, include_str!("../../ui/pages/charts.js")),
    ("pages/cluster.js", JS, include_str!("../../ui/pages/cluster.js")),
    ("pages/component.js", JS, include_str!("../../ui/pages/component.js")),
    ("pages/deploy.js", JS, include_str!("../../ui/pages/deploy.js")),
    ("pages/enter.js", JS, include_str!("../../ui/pages/enter.js")),
    ("pages/errors.js", JS, include_str!("../../ui/pages/errors.js")),
    ("pages/levels.js", JS, include_str!("../../ui/pages/levels.js")),
    ("pages/logs.js", JS, include_str!("../../ui/pages/logs.js")),
    ("pages/models.js", JS, include_str!("../../ui/pages/models.js")),
    ("pages/parts.js", JS, include_str!("../../ui/pages/parts.js")),
    ("pages/tap.js", JS, include_str!("../../ui/pages/tap.js")),
    ("pages/topology.js", JS, include_str!("../../ui/pages/topology.js")),
    ("pages/versions.js", JS, include_str!("../../ui/pages/versions.js")),
];
const HTML: &str = "text/html; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// What browsers may do with answers: run only the page's own scripts, talk only to nimbus, be framed by nobody.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Adds what every answer says to browsers.
pub(super) async fn with_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

pub(super) async fn index(headers: HeaderMap) -> Response {
    file(Path("index.html".to_owned()), headers).await.into_response()
}

pub(super) async fn file(Path(path): Path<String>, headers: HeaderMap) -> Result<Response, Denied> {
    let Some((_, kind, text)) = FILES.iter().find(|(name, ..)| *name == path) else {
        let shown: String = path.escape_debug().take(128).collect();
        return Err(Denied::new(Kind::Unknown, format!("the page has no file `{shown}`"), ""));
    };
    // The same program has the same files.
    let tag = format!("\"{}\"", &crate::blobs::hash_of(text.as_bytes())[..16]);
    let cached = [(ETAG, tag.clone()), (CACHE_CONTROL, "no-cache".to_owned())];
    if headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return Ok((StatusCode::NOT_MODIFIED, cached).into_response());
    }
    Ok((cached, [(CONTENT_TYPE, *kind)], *text).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    token: String,
}

/// Takes the token once and gives a session for it.
pub(super) async fn enter(State(nimbus): Shared, request: Request) -> Result<Response, Denied> {
    if !same_origin(request.headers()) {
        return Err(Sessions::foreign());
    }
    let login: Login = body(request, 4096).await?;
    let header = format!("Bearer {}", login.token);
    if !bearer_matches(Some(header.as_bytes()), nimbus.token()) {
        return Err(Denied::new(Kind::NoToken, "this is not the token", "it is in the file `token` in nimbus's folder"));
    }
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, nimbus.sessions().cookie(nimbus.unix_ms()))]).into_response())
}

pub(super) async fn leave(State(nimbus): Shared) -> Response {
    (StatusCode::NO_CONTENT, [(SET_COOKIE, nimbus.sessions().no_cookie())]).into_response()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WantLink {
    valid_ms: Option<u64>,
}

/// A link that opens the page without the token, once.
#[derive(Debug, Serialize)]
pub(super) struct Link {
    path: String,
    valid_ms: u64,
}

pub(super) async fn link(State(nimbus): Shared, request: Request) -> Result<Json<Link>, Denied> {
    let want: WantLink = body(request, 4096).await?;
    let (code, valid_ms) = nimbus.sessions().code(nimbus.now(), want.valid_ms)?;
    Ok(Json(Link { path: format!("/enter?code={code}"), valid_ms }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Code {
    code: String,
}

/// Where a one-time link leads: to the page, with a session if the code is good, else to be asked for the token.
pub(super) async fn enter_by_link(State(nimbus): Shared, extract::Query(code): extract::Query<Code>) -> Response {
    let good = nimbus.sessions().redeem(&code.code, nimbus.now());
    let mut response = (StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response();
    if good && let Ok(cookie) = HeaderValue::from_str(&nimbus.sessions().cookie(nimbus.unix_ms())) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_in_the_program_and_names_only_others_of_them() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
        let mut there = Vec::new();
        for dir in ["", "pages"] {
            for entry in std::fs::read_dir(root.join(dir)).unwrap().flatten().filter(|e| e.path().is_file()) {
                there.push(entry.path().strip_prefix(&root).unwrap().to_string_lossy().into_owned());
            }
        }
        let mut listed: Vec<&str> = FILES.iter().map(|(name, ..)| *name).collect();
        listed.sort_unstable();
        there.sort_unstable();
        assert_eq!(listed, there);
        for (name, _, text) in FILES {
            for never in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "https://"]
            {
                assert!(!text.contains(never), "{name} has `{never}`");
            }
            for import in text.lines().filter_map(|l| l.split(" from '").nth(1)?.split('\'').next()) {
                let folder = std::path::Path::new(name).parent().unwrap();
                let mut path = folder.to_path_buf();
                for part in import.split('/') {
                    match part {
                        "." => {}
                        ".." => drop(path.pop()),
                        part => path.push(part),
                    }
                }
                assert!(listed.contains(&&*path.to_string_lossy()), "{name} imports `{import}`");
            }
        }
    }
}
