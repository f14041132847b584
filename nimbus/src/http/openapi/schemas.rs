//! Every object: its keys with their types, see `object` in the parent. What keys mean is told in `squall_core::control`.

pub(super) const SCHEMAS: &[(&str, &str)] = &[
    ("Problem", "error: text, remedy: text, details?: [text]"),
    ("TopologyState", "one of ACTIVE INACTIVE REBALANCING KILLED"),
    ("Phase", "one of starting connecting running drained finished failed"),
    ("ComponentKind", "one of spout bolt"),
    ("LineLevel", "one of error warn info debug trace"),
    ("Level", "one of off error warn info debug trace"),
    ("TimelineKind", "one of state rebalanced worker-up worker-ended error note"),
    ("Submit", "plan: Plan, inactive?: bool"),
    ("Kill", "wait_ms?: int"),
    ("Rebalance", "wait_ms?: int, workers?: int, parallelism?: {int}"),
    ("Accepted", "id: text, name: text, state: TopologyState"),
    (
        "ClusterStatus",
        "version: text, pid: int, uptime_ms: int, revision: int, slots_total: int, slots_used: int, slots_free: int, \
         supervisors: [SupervisorStatus], topologies: [TopologySummary]",
    ),
    (
        "SupervisorStatus",
        "id: text, machine: text, host: text, url: text, version: text, alive: bool, silent_ms: int, uptime_ms: int, slots: int, \
         slots_used: int, cores: int, memory_bytes: int, models: [ModelUse], usage: MachineUsage",
    ),
    ("MachineUsage", "cores_busy: number, memory_used_bytes: int"),
    ("ProcessUsage", "cores_busy: number, rss_bytes: int"),
    ("ModelUse", "artefact: text, file: text, bytes: int, mapped_by: int, rss_bytes: int, pss_bytes: int, private_bytes: int"),
    (
        "TopologySummary",
        "id: text, name: text, state: TopologyState, uptime_ms: int, workers: int, tasks: int, finished: bool, waiting?: text",
    ),
    (
        "TopologyStatus",
        "id: text, name: text, state: TopologyState, uptime_ms: int, revision: int, epoch: int, waiting?: text, wait_left_ms?: int, \
         finished: bool, first_tuple_ms?: int, workers: [WorkerSummary], components: [ComponentStatus], errors: [ErrorEntry], \
         models: [ModelOnMachine], ignored_frames: int, link_bytes_in: int, link_bytes_out: int",
    ),
    (
        "WorkerSummary",
        "worker: int, supervisor: text, machine: text, host: text, slot: int, pid: int?, endpoint: text?, phase: Phase?, \
         incarnation: int, uptime_ms: int, restarts: int, tasks: [int], last_exit: Exit?, problem: text?, silent: bool, \
         usage: ProcessUsage",
    ),
    ("Exit", "unix_ms: int, incarnation: int, how: text, output: text"),
    ("Latency", "count: int, mean_ms: number, p50_ms: number, p99_ms: number, p999_ms: number"),
    ("StreamSettled", "stream: text, acked: int, failed: int, complete: Latency"),
    ("Taken", "from: text, stream: text, executed: int, acked: int, failed: int, busy_ns: int"),
    (
        "ComponentStatus",
        "id: text, kind: ComponentKind, type: text, tasks: int, emitted: int, transferred: int, executed: int, acked: int, failed: int, \
         pending: int, queued: int, ended_tasks: int, emitted_per_s: number, executed_per_s: number, capacity: number, \
         blocked: number, execute: Latency, complete: Latency, streams?: {int}, inputs?: [Taken], settled?: [StreamSettled], \
         counters?: {int}, errors: int",
    ),
    (
        "ErrorEntry",
        "unix_ms: int, component: text, task: int, worker: int, host: text, message: text, count: int, panic: bool, \
      stack?: text",
    ),
    ("ModelOnMachine", "name: text, source_file: text, supervisor: text, machine: text, memory: ModelUse"),
    (
        "Plan",
        "name: text, settings: object, components: [PlannedComponent], models: {PlannedModel}, worker: text?, source: text",
    ),
    (
        "PlannedComponent",
        "id: text, kind: ComponentKind, type: text, config: any, parallelism: int, tick?: text, blocking: bool, inputs: [object], \
         outputs: [object], secrets?: [text]",
    ),
    ("PlannedModel", "artefact: text, source: text, bytes: int, file: text, labels?: [text]"),
    ("History", "step_s: int, points: [HistoryPoint], events: [TimelineEvent]"),
    (
        "HistoryPoint",
        "unix_ms: int, ms: int, emitted: int, transferred: int, executed: int, acked: int, failed: int, errors: int, queued: int, \
         pending: int, capacity: number, blocked: number, execute_ms: [number]?, complete_ms: [number]?",
    ),
    ("TimelineEvent", "number: int, unix_ms: int, kind: TimelineKind, text: text, component: text, worker: int?, host: text"),
    ("ClusterLive", "unix_ms: int, cluster: ClusterStatus, topologies: {Glance}"),
    (
        "Glance",
        "emitted_per_s: number, acked_per_s: number, failed_per_s: number, complete: Latency, capacity: number, errors: int, \
         restarts: int, trend: [number]",
    ),
    (
        "TopologyLive",
        "unix_ms: int, status: TopologyStatus, points: [HistoryPoint], components: {HistoryPoint}, edges: [number], \
         events: [TimelineEvent]",
    ),
    (
        "ComponentDetail",
        "unix_ms: int, status: ComponentStatus, tasks: [TaskStatus], inputs: [EdgeRate], outputs: [StreamStatus], \
         histogram: [any], points: [HistoryPoint], config: any",
    ),
    (
        "TaskStatus",
        "task: int, worker: int?, host: text, emitted: int, transferred: int, executed: int, acked: int, failed: int, queued: int, \
         pending: int, ended: bool, emitted_per_s: number, executed_per_s: number, capacity: number, blocked: number, \
         execute: Latency, complete: Latency",
    ),
    ("EdgeRate", "from: text, stream: text, to: text, grouping: object, total: int, per_s: number"),
    (
        "StreamStatus",
        "stream: text, fields: text, emitted: int, per_s: number, acked: int, failed: int, complete: Latency, to: [text]",
    ),
    ("Graph", "width: number, height: number, nodes: [GraphNode], edges: [GraphEdge]"),
    (
        "GraphNode",
        "id: text, kind: ComponentKind, type: text, tasks: int, x: number, y: number, width: number, height: number, layer: int",
    ),
    ("GraphEdge", "streams: [any], from: int, to: int, points: [any]"),
    ("TopologyModels", "revision: int, models: [object]"),
    ("ImportedModel", "artefact: text, source: text, bytes: int, summary: text, warnings: [text]"),
    ("Deploy", "artefact: text, source: text, bytes: int, file: text, labels?: [text]"),
    ("Rollback", "version?: int"),
    (
        "Deployment",
        "serial: int, version: int, artefact: text, source: text, bytes: int, file: text, labels?: [text], unix_ms: int, \
         rollback?: bool, state: text, reason?: text",
    ),
    ("LogLevel", "logger: text, level: Level, until_unix_ms: int"),
    ("SetLog", "logger?: text, level?: Level, for_ms?: int"),
    ("OpenTap", "component: text, stream?: text, per_second?: int"),
    ("TapOpened", "id: int"),
    ("Samples", "next: int, samples: [Sample]"),
    ("Sample", "tap: int, task: int, unix_ms: int, tuple: any, cut?: bool"),
    ("LogFile", "topology: text, worker: int, supervisor: text, host: text, bytes: int, output_bytes: int"),
    ("DaemonLog", "daemon: text, machine: text, host: text, bytes: int, silent?: bool"),
    ("LogLine", "worker?: int, supervisor: text, host: text, file: int, offset: int, text: text"),
    ("LogSearch", "lines: [LogLine], complete: bool, bytes: int, ends: {int}, silent: [text]"),
    (
        "ModelOverview",
        "name: text, topology: text, source_file: text, artefact: text, bytes: int, version: int, numbers: object, \
         used_by: [ModelUser], copies: [ModelCopy]",
    ),
    ("ModelUser", "component: text, executed: int, executed_per_s: number"),
    ("ModelCopy", "name: text, artefact: text, supervisor: text, machine: text, host: text, memory: ModelUse"),
    ("Login", "token: text"),
    ("WantLink", "valid_ms?: int"),
    ("Link", "path: text, valid_ms: int"),
];
