//! Every call.

/// A call as it is described.
pub(super) struct Call {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    /// `name:type` of each parameter behind the `?`.
    pub(super) query: &'static str,
    pub(super) body: &'static str,
    pub(super) status: &'static str,
    pub(super) answer: Answer,
}

/// What is answered when all is well.
pub(super) enum Answer {
    Json(&'static str),
    /// Server-sent events with such data.
    Events(&'static str),
    Text(&'static str),
    Nothing,
}

use Answer::{Events, Json, Nothing, Text};

const WAIT: &str = "after:int wait_ms:int";
const LINES: &str = "text:text level:LineLevel worker:int stream:text limit:int tail:int";

const DAEMON_LINES: &str = "text:text level:LineLevel daemon:text limit:int tail:int";
const PIECE: &str = "file:int offset:int tail:int limit:int follow_ms:int stream:text";

const fn get(path: &'static str, summary: &'static str, query: &'static str, answer: Answer) -> Call {
    Call { method: "get", path, summary, query, body: "", status: "200", answer }
}

const fn post(path: &'static str, summary: &'static str, body: &'static str, answer: Answer) -> Call {
    Call { method: "post", path, summary, query: "", body, status: "200", answer }
}

const fn created(call: Call) -> Call {
    Call { status: "201", ..call }
}

const fn delete(path: &'static str, summary: &'static str) -> Call {
    Call { method: "delete", path, summary, query: "", body: "", status: "204", answer: Nothing }
}

pub(super) const CALLS: &[Call] = &[
    get("/v1/cluster", "Machines, slots, topologies; with `after` a long poll", WAIT, Json("ClusterStatus")),
    get("/v1/live", "The cluster, once a second", "", Events("ClusterLive")),
    get("/v1/topologies", "All topologies", "", Json("[TopologySummary]")),
    created(post("/v1/topologies", "Submits a topology", "Submit", Json("Accepted"))),
    get("/v1/topologies/{name}", "A topology; with `after` a long poll", WAIT, Json("TopologyStatus")),
    get("/v1/topologies/{name}/plan", "The topology as it is run, secrets masked", "", Json("Plan")),
    get("/v1/topologies/{name}/history", "What it did over time", "seconds:int component:text task:int", Json("History")),
    get("/v1/topologies/{name}/graph", "Its components laid out", "", Json("Graph")),
    get("/v1/topologies/{name}/live", "The topology, once a second", "", Events("TopologyLive")),
    get("/v1/topologies/{name}/components/{component}", "A component with its tasks", "", Json("ComponentDetail")),
    get("/v1/topologies/{name}/components/{component}/live", "A component, once a second", "", Events("ComponentDetail")),
    post("/v1/topologies/{name}/activate", "Lets its spouts emit", "", Json("Accepted")),
    post("/v1/topologies/{name}/deactivate", "Pauses its spouts", "", Json("Accepted")),
    post("/v1/topologies/{name}/rebalance", "Spreads its tasks anew", "Rebalance", Json("Accepted")),
    post("/v1/topologies/{name}/kill", "Ends it", "Kill", Json("Accepted")),
    post(
        "/v1/topologies/{name}/workers/{worker}/restart",
        "Has a worker stop and start anew in its slot",
        "",
        Json("Accepted"),
    ),
    get("/v1/topologies/{name}/models", "Versions of its models; with `after` a long poll", WAIT, Json("TopologyModels")),
    post("/v1/topologies/{name}/models/{model}/deploy", "Deploys a version that was uploaded", "Deploy", Json("Deployment")),
    post("/v1/topologies/{name}/models/{model}/rollback", "Deploys an earlier version again", "Rollback", Json("Deployment")),
    get("/v1/topologies/{name}/log", "Log levels that are set for a time", "", Json("[LogLevel]")),
    post("/v1/topologies/{name}/log", "Sets a log level for a time", "SetLog", Json("[LogLevel]")),
    created(post("/v1/topologies/{name}/taps", "Opens a tap on a stream", "OpenTap", Json("TapOpened"))),
    get("/v1/topologies/{name}/taps/{tap}", "Sampled tuples; a long poll", WAIT, Json("Samples")),
    delete("/v1/topologies/{name}/taps/{tap}", "Closes a tap"),
    get("/v1/topologies/{name}/logs", "Its workers' logs", "", Json("[LogFile]")),
    get("/v1/topologies/{name}/logs/search", "Lines of all workers' logs", LINES, Json("LogSearch")),
    get("/v1/topologies/{name}/logs/follow", "The newest lines, then new ones", LINES, Events("[LogLine]")),
    get(
        "/v1/topologies/{name}/logs/{worker}",
        "A piece of a worker's log",
        "offset:int tail:int limit:int follow_ms:int stream:text",
        Text("application/octet-stream"),
    ),
    get(
        "/v1/topologies/{name}/logs/{worker}/download",
        "A worker's whole log",
        "stream:text supervisor:text",
        Text("text/plain"),
    ),
    get("/v1/logs", "The logs of the daemons themselves", "", Json("[DaemonLog]")),
    get("/v1/logs/search", "Lines of daemons' logs, in order of time", DAEMON_LINES, Json("LogSearch")),
    get("/v1/logs/follow", "The same, followed", DAEMON_LINES, Events("[LogLine]")),
    get("/v1/logs/{daemon}", "A piece of a daemon's log", PIECE, Text("application/octet-stream")),
    get("/v1/logs/{daemon}/download", "A daemon's whole log", "", Text("text/plain")),
    get("/v1/models", "Models of all topologies", "", Json("[ModelOverview]")),
    Call {
        query: "labels:text topology:text model:text",
        ..post("/v1/models/import", "Makes a blob of a model file, to be deployed", "bytes", Json("ImportedModel"))
    },
    get("/metrics", "Metrics for Prometheus", "", Text("application/openmetrics-text")),
    get("/api/openapi.json", "This document", "", Json("object")),
    get("/enter", "Where a one-time link to the page leads", "code:text", Nothing),
    post("/v1/page/session", "A session of the page for the token; sets a cookie", "Login", Nothing),
    delete("/v1/page/session", "Ends a session of the page"),
    post("/v1/page/links", "A one-time link to the page", "WantLink", Json("Link")),
    Call {
        method: "put",
        path: "/v1/blobs/{sha256}",
        summary: "Uploads a blob",
        query: "",
        body: "bytes",
        status: "201",
        answer: Nothing,
    },
    get("/v1/blobs/{sha256}", "A blob", "", Text("application/octet-stream")),
    Call {
        method: "head",
        path: "/v1/blobs/{sha256}",
        summary: "Whether a blob is here",
        query: "",
        body: "",
        status: "200",
        answer: Nothing,
    },
];
