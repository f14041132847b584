//! Bodies in and out: JSON, limited, and every refusal in one form.

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::denied::{Denied, Kind};

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        let status = match self.kind {
            Kind::Unreadable => StatusCode::BAD_REQUEST,
            Kind::NoToken => StatusCode::UNAUTHORIZED,
            Kind::Unknown => StatusCode::NOT_FOUND,
            Kind::NoMethod => StatusCode::METHOD_NOT_ALLOWED,
            Kind::NotNow => StatusCode::CONFLICT,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::Wrong => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::NoAnswer => StatusCode::BAD_GATEWAY,
            Kind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if self.kind == Kind::Failed {
            log::error!(error = self.problem.error.as_str(); "a call failed");
        }
        (status, Json(self.problem)).into_response()
    }
}

/// The variable parts of a path; wrong ones are refused as everything else is.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Denied;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Denied> {
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        read.map(|axum::extract::Path(t)| Path(t))
            .map_err(|e| Denied::new(Kind::Unreadable, e.body_text(), "docs/api.md lists the paths"))
    }
}

/// 200 with what there is, or 204.
pub(super) fn maybe<T: Serialize>(found: Option<T>) -> Response {
    found.map_or_else(|| StatusCode::NO_CONTENT.into_response(), |t| Json(t).into_response())
}

/// The JSON body of a request, of at most `limit` bytes; an empty one counts as `{}`.
pub(crate) async fn body<T: DeserializeOwned>(request: Request, limit: usize) -> Result<T, Denied> {
    let bytes = to_bytes(request.into_body(), limit).await.map_err(|e| {
        let cause = std::error::Error::source(&e);
        if cause.is_some_and(|c| c.is::<http_body_util::LengthLimitError>()) {
            return Denied::new(Kind::TooLarge, format!("the body is longer than {limit} bytes"), "");
        }
        Denied::new(Kind::Unreadable, format!("the body broke off: {e}"), "send it again")
    })?;
    json(if bytes.is_empty() { b"{}" } else { &bytes })
}

/// JSON, or where it is wrong.
pub(super) fn json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Denied> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|e| {
        let path: String = e.path().to_string().chars().take(200).collect();
        Denied::new(
            Kind::Unreadable,
            format!("the body is wrong at `{path}`: {}", e.inner()),
            "docs/api.md tells what each call takes",
        )
    })?;
    reader.end().map_err(|e| Denied::new(Kind::Unreadable, format!("the body goes on after its JSON: {e}"), ""))?;
    Ok(read)
}

/// What stands after the `?`.
pub(crate) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Denied> {
    let read = Query::<T>::try_from_uri(uri);
    read.map(|Query(t)| t).map_err(|e| Denied::new(Kind::Unreadable, e.body_text(), "docs/api.md tells what each call takes"))
}
