//! Bodies in and out: JSON, limited, and every refusal in one form.

use axum::Json;
use axum::body::to_bytes;
use axum::extract::{FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use squall_core::control::Problem;

const SEE: &str = "docs/api.md tells what each call takes";

/// A refusal, with what the caller is told.
#[derive(Debug)]
pub(super) struct Denied(StatusCode, Problem);

impl Denied {
    fn new(status: StatusCode, error: impl Into<String>, remedy: &str) -> Self {
        Denied(status, Problem { error: error.into(), remedy: remedy.to_owned(), details: Vec::new() })
    }

    pub(super) fn no_token() -> Self {
        let remedy = "send `authorization: Bearer TOKEN` with the cluster's token";
        Denied::new(StatusCode::UNAUTHORIZED, "the token is missing or wrong", remedy)
    }

    pub(super) fn no_method(method: &Method) -> Self {
        Denied::new(StatusCode::METHOD_NOT_ALLOWED, format!("{method} is not possible here"), SEE)
    }

    pub(super) fn unknown(error: impl Into<String>) -> Self {
        Denied::new(StatusCode::NOT_FOUND, error, "")
    }

    pub(super) fn wrong(error: impl Into<String>) -> Self {
        Denied::new(StatusCode::BAD_REQUEST, error, SEE)
    }

    pub(super) fn gone() -> Self {
        Denied::new(StatusCode::GONE, "this incarnation of the worker is not wanted any more", "stop")
    }

    pub(super) fn failed(e: impl std::fmt::Display) -> Self {
        log::error!(error:display = e; "a call failed");
        Denied::new(StatusCode::INTERNAL_SERVER_ERROR, e.to_string(), "look at the supervisor's log")
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

/// The variable parts of a path; wrong ones are refused as everything else is.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Denied;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Denied> {
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        read.map(|axum::extract::Path(t)| Path(t)).map_err(|e| Denied::wrong(e.body_text()))
    }
}

/// The JSON body of a request, of at most `limit` bytes.
pub(super) async fn body<T: DeserializeOwned>(request: Request, limit: usize) -> Result<T, Denied> {
    let bytes = to_bytes(request.into_body(), limit).await.map_err(|e| {
        let cause = std::error::Error::source(&e);
        if cause.is_some_and(|c| c.is::<http_body_util::LengthLimitError>()) {
            return Denied::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {limit} bytes"), "");
        }
        Denied::new(StatusCode::BAD_REQUEST, format!("the body broke off: {e}"), "send it again")
    })?;
    serde_json::from_slice(&bytes).map_err(|e| Denied::new(StatusCode::BAD_REQUEST, format!("the body is wrong: {e}"), SEE))
}

/// What stands after the `?`.
pub(super) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Denied> {
    let read = Query::<T>::try_from_uri(uri);
    read.map(|Query(t)| t).map_err(|e| Denied::new(StatusCode::BAD_REQUEST, e.body_text(), SEE))
}
