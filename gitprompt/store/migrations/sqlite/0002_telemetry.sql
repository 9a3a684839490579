-- Telemetry: what is ingested. Newest first is `id` descending, so a clock that goes back reorders
-- nothing. Times in `created_at` are Unix seconds of the server; JSON is kept as text.

ALTER TABLE api_key ADD COLUMN last_used_at INTEGER;

CREATE TABLE log (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace         TEXT NOT NULL,
    log_id            TEXT,               -- the client's; makes a retry idempotent
    prompt_name       TEXT NOT NULL,
    version_tag       TEXT NOT NULL,
    provider          TEXT,
    model             TEXT,
    tokens_in         INTEGER,
    tokens_out        INTEGER,
    tokens_cached     INTEGER,            -- part of tokens_in
    latency_ms        INTEGER,
    cost_usd          REAL,
    ollama_options    TEXT,
    ollama_keep_alive TEXT,
    ollama_format     TEXT,
    status            TEXT,
    error_code        TEXT,
    metadata          TEXT,
    trace_id          TEXT,
    span_id           TEXT,
    created_at        INTEGER NOT NULL
) STRICT;
CREATE INDEX log_by_workspace ON log (workspace);
CREATE INDEX log_by_prompt ON log (workspace, prompt_name);
CREATE UNIQUE INDEX log_by_log_id ON log (workspace, log_id) WHERE log_id IS NOT NULL;
-- A trace id is spelled as a UUID here and as 32 digits there: a call is found by either.
CREATE INDEX log_by_span ON log (workspace, lower(replace(trace_id, '-', '')), span_id)
    WHERE span_id IS NOT NULL;

CREATE TABLE trace (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace   TEXT NOT NULL,
    trace_id    TEXT NOT NULL,
    prompt_name TEXT,
    version_tag TEXT,
    metadata    TEXT,
    created_at  INTEGER NOT NULL,
    UNIQUE (workspace, trace_id)
) STRICT;
CREATE INDEX trace_by_workspace ON trace (workspace);
CREATE INDEX trace_by_key ON trace (workspace, lower(replace(trace_id, '-', '')));
CREATE INDEX trace_by_prompt ON trace (workspace, prompt_name);

CREATE TABLE span (
    id         INTEGER PRIMARY KEY,
    trace      INTEGER NOT NULL REFERENCES trace (id) ON DELETE CASCADE,
    span_id    TEXT NOT NULL,
    parent_id  TEXT,
    name       TEXT NOT NULL,
    status     TEXT NOT NULL,
    start_time INTEGER,                   -- the caller's own, usually milliseconds
    end_time   INTEGER,
    metadata   TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (trace, span_id)
) STRICT;

CREATE TABLE run (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace     TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    workflow_name TEXT NOT NULL,
    status        TEXT NOT NULL,
    input         TEXT,
    output        TEXT,
    trace_id      TEXT,
    metadata      TEXT,
    start_time    INTEGER NOT NULL,       -- milliseconds
    end_time      INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    UNIQUE (workspace, run_id)
) STRICT;
CREATE INDEX run_by_workspace ON run (workspace);
CREATE INDEX run_by_trace ON run (workspace, trace_id) WHERE trace_id IS NOT NULL;

-- Suites are files in Git; here is only the number by which clients know them.
CREATE TABLE suite (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (workspace, name)
) STRICT;

CREATE TABLE result (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    suite       INTEGER NOT NULL REFERENCES suite (id) ON DELETE CASCADE,
    result_id   TEXT,                     -- the client's; makes a retry idempotent
    run_id      TEXT,
    score       REAL,
    metadata    TEXT,
    prompt_name TEXT,                     -- what was scored: its run's trace says, else the suite
    version_tag TEXT,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX result_by_suite ON result (suite);
CREATE UNIQUE INDEX result_by_result_id ON result (suite, result_id) WHERE result_id IS NOT NULL;

CREATE TABLE metric (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace   TEXT NOT NULL,
    name        TEXT NOT NULL,
    value       REAL NOT NULL,
    type        TEXT NOT NULL,            -- gauge or counter
    labels      TEXT NOT NULL,            -- JSON, keys sorted
    prompt_name TEXT,
    version_tag TEXT,
    timestamp   INTEGER NOT NULL          -- milliseconds
) STRICT;
CREATE INDEX metric_by_name ON metric (workspace, name, timestamp);

CREATE TABLE audit (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id TEXT NOT NULL,
    action       TEXT NOT NULL,
    prompt_name  TEXT,
    version_tag  TEXT,
    api_key_name TEXT NOT NULL,
    ip_address   TEXT,
    target_id    TEXT,
    timestamp    INTEGER NOT NULL,
    outcome      TEXT NOT NULL,           -- done; pending and failed for what moves refs
    ref          TEXT,                    -- what a pending row is about to move,
    oid          TEXT                     -- and to what
) STRICT;
CREATE INDEX audit_by_workspace ON audit (workspace_id);
CREATE INDEX audit_pending ON audit (id) WHERE outcome = 'pending';

-- How many rows each list has: counting millions would cost more than a page of them.
CREATE TABLE tally (
    workspace TEXT NOT NULL,
    kind      TEXT NOT NULL,
    rows      INTEGER NOT NULL,
    PRIMARY KEY (workspace, kind)
) WITHOUT ROWID, STRICT;

-- Rollups: a function of the rows above, kept in the transaction that writes them.
CREATE TABLE usage_rollup (
    workspace     TEXT NOT NULL,
    prompt_name   TEXT NOT NULL,          -- '' where a call named none
    version_tag   TEXT NOT NULL,
    hour          INTEGER NOT NULL,       -- created_at / 3600
    calls         INTEGER NOT NULL,
    errors        INTEGER NOT NULL,
    tokens_in     INTEGER NOT NULL,
    tokens_out    INTEGER NOT NULL,
    tokens_cached INTEGER NOT NULL,
    cost_nano     INTEGER NOT NULL,       -- 10^-9 USD: sums of integers do not depend on their order
    PRIMARY KEY (workspace, prompt_name, version_tag, hour)
) WITHOUT ROWID, STRICT;

CREATE TABLE latency_rollup (
    workspace   TEXT NOT NULL,
    prompt_name TEXT NOT NULL,
    version_tag TEXT NOT NULL,
    hour        INTEGER NOT NULL,
    bucket      INTEGER NOT NULL,         -- milliseconds, exact below 2048, else to one in a thousand
    calls       INTEGER NOT NULL,
    PRIMARY KEY (workspace, prompt_name, version_tag, hour, bucket)
) WITHOUT ROWID, STRICT;

CREATE TABLE score_rollup (
    workspace   TEXT NOT NULL,
    prompt_name TEXT NOT NULL,
    version_tag TEXT NOT NULL,
    hour        INTEGER NOT NULL,
    scores      INTEGER NOT NULL,
    total       INTEGER NOT NULL,         -- millionths
    PRIMARY KEY (workspace, prompt_name, version_tag, hour)
) WITHOUT ROWID, STRICT;
