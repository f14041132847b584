//! A pretended nimbus: says what the test wants, and keeps what it hears.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use squall_core::control::{Desired, Heartbeat, HeartbeatAnswer};
use tokio::sync::watch;

#[derive(Clone)]
pub(crate) struct Nimbus {
    pub(crate) desired: watch::Sender<Desired>,
    heard: watch::Sender<Option<Heartbeat>>,
    /// How many heartbeats were not taken in, because they were from an earlier start.
    late: watch::Sender<u32>,
    blobs: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    pub(crate) url: String,
}

impl Nimbus {
    /// Starts it on a runtime.
    pub(crate) fn start(runtime: &tokio::runtime::Runtime) -> Self {
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let desired = watch::Sender::new(Desired { revision: 1, ..Desired::default() });
        let nimbus =
            Nimbus { desired, heard: watch::Sender::new(None), late: watch::Sender::new(0), blobs: Arc::default(), url };
        let router = Router::new()
            .route("/v1/supervisors/{id}/heartbeat", post(heartbeat))
            .route("/v1/supervisors/{id}/desired", get(wanted))
            .route("/v1/blobs/{hash}", get(blob))
            .with_state(nimbus.clone());
        runtime.spawn(async move { axum::serve(listener, router).await });
        nimbus
    }

    /// Keeps bytes under a name that should be their hash.
    pub(crate) fn put(&self, hash: &str, bytes: Vec<u8>) {
        self.blobs.lock().unwrap().insert(hash.to_owned(), bytes);
    }

    pub(crate) fn want(&self, change: impl FnOnce(&mut Desired)) {
        self.desired.send_modify(|d| {
            change(d);
            d.revision += 1;
        });
    }

    /// Hears a later start of the same supervisor, and waits until so many heartbeats of this one came too late.
    pub(crate) fn hears_later(&self, runtime: &tokio::runtime::Runtime, life: u32, late: u32) {
        self.heard.send_modify(|h| h.iter_mut().for_each(|h| h.life = life));
        let (mut told, already) = (self.late.subscribe(), *self.late.borrow());
        let told = told.wait_for(|n| *n >= already + late);
        runtime.block_on(async { tokio::time::timeout(Duration::from_secs(15), told).await.unwrap().unwrap() });
    }

    /// Waits for a heartbeat like this.
    pub(crate) fn hears(&self, runtime: &tokio::runtime::Runtime, like: impl FnMut(&Heartbeat) -> bool) -> Heartbeat {
        let (mut heard, mut like) = (self.heard.subscribe(), like);
        let last = || format!("{:#?}", self.heard.borrow().as_ref().map(|h| h.workers.clone()));
        runtime.block_on(async {
            let found = heard.wait_for(|h| h.as_ref().is_some_and(&mut like));
            match tokio::time::timeout(Duration::from_secs(15), found).await {
                Ok(found) => found.unwrap().clone().unwrap(),
                Err(_) => panic!("never heard; the last was {}", last()),
            }
        })
    }
}

async fn heartbeat(State(nimbus): State<Nimbus>, Json(heartbeat): Json<Heartbeat>) -> Json<HeartbeatAnswer> {
    let later = nimbus.heard.borrow().as_ref().map(|last| last.life).filter(|last| heartbeat.life < *last);
    if later.is_some() {
        nimbus.late.send_modify(|n| *n += 1);
    }
    let send_all = later.is_none() && nimbus.heard.send_replace(Some(heartbeat)).is_none();
    Json(HeartbeatAnswer { send_all, later })
}

async fn wanted(State(nimbus): State<Nimbus>, Query(query): Query<HashMap<String, u64>>) -> Response {
    let mut desired = nimbus.desired.subscribe();
    let wait = Duration::from_millis(query.get("wait_ms").copied().unwrap_or(0));
    let other = desired.wait_for(|d| Some(&d.revision) != query.get("after"));
    match tokio::time::timeout(wait.max(Duration::from_millis(1)), other).await {
        Ok(Ok(desired)) => Json(desired.clone()).into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

async fn blob(State(nimbus): State<Nimbus>, Path(hash): Path<String>) -> Response {
    let found = nimbus.blobs.lock().unwrap().get(&hash).cloned();
    found.map_or_else(|| StatusCode::NOT_FOUND.into_response(), IntoResponse::into_response)
}
