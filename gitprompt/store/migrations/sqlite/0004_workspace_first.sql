-- `workspace` is the first column of every primary and unique key of telemetry, as databases that
-- spread over machines need it; ids come from `sequence`, since a composite key has no AUTOINCREMENT.
--
-- A statement with $after and $until runs once for each range of the ids of the table that it reads.

-- The last number that was given to a row of each table: no number is used twice.
CREATE TABLE sequence (
    name TEXT NOT NULL PRIMARY KEY,
    last INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
INSERT INTO sequence (name, last)
    SELECT kind.name, coalesce(sqlite_sequence.seq, 0)
    FROM (SELECT 'log' AS name UNION SELECT 'trace' UNION SELECT 'run' UNION SELECT 'suite'
          UNION SELECT 'result' UNION SELECT 'metric' UNION SELECT 'audit') AS kind
    LEFT JOIN sqlite_sequence ON sqlite_sequence.name = kind.name;
INSERT INTO sequence (name, last) SELECT 'span', coalesce(max(id), 0) FROM span;

CREATE TABLE new_log (
    workspace         TEXT NOT NULL,
    id                INTEGER NOT NULL,
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
    created_at        INTEGER NOT NULL,
    PRIMARY KEY (workspace, id)
) STRICT;
INSERT INTO new_log (workspace, id, log_id, prompt_name, version_tag, provider, model, tokens_in,
    tokens_out, tokens_cached, latency_ms, cost_usd, ollama_options, ollama_keep_alive, ollama_format,
    status, error_code, metadata, trace_id, span_id, created_at)
    SELECT workspace, id, log_id, prompt_name, version_tag, provider, model, tokens_in,
    tokens_out, tokens_cached, latency_ms, cost_usd, ollama_options, ollama_keep_alive, ollama_format,
    status, error_code, metadata, trace_id, span_id, created_at
    FROM log WHERE id > $after AND id <= $until ORDER BY id;
DROP TABLE log;
ALTER TABLE new_log RENAME TO log;
CREATE INDEX log_by_prompt ON log (workspace, prompt_name, id);
CREATE UNIQUE INDEX log_by_log_id ON log (workspace, log_id) WHERE log_id IS NOT NULL;
-- A trace id is spelled as a UUID here and as 32 digits there: a call is found by either.
CREATE INDEX log_by_span ON log (workspace, lower(replace(trace_id, '-', '')), span_id)
    WHERE span_id IS NOT NULL;

CREATE TABLE new_trace (
    workspace   TEXT NOT NULL,
    id          INTEGER NOT NULL,
    trace_id    TEXT NOT NULL,
    prompt_name TEXT,
    version_tag TEXT,
    metadata    TEXT,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (workspace, id),
    UNIQUE (workspace, trace_id)
) STRICT;
INSERT INTO new_trace (workspace, id, trace_id, prompt_name, version_tag, metadata, created_at)
    SELECT workspace, id, trace_id, prompt_name, version_tag, metadata, created_at
    FROM trace WHERE id > $after AND id <= $until ORDER BY id;

-- `id` is the order in which spans came.
CREATE TABLE new_span (
    workspace  TEXT NOT NULL,
    trace      INTEGER NOT NULL,
    span_id    TEXT NOT NULL,
    id         INTEGER NOT NULL,
    parent_id  TEXT,
    name       TEXT NOT NULL,
    status     TEXT NOT NULL,
    start_time INTEGER,                   -- the caller's own, usually milliseconds
    end_time   INTEGER,
    metadata   TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, trace, span_id),
    FOREIGN KEY (workspace, trace) REFERENCES trace (workspace, id) ON DELETE CASCADE
) STRICT;
INSERT INTO new_span (workspace, trace, span_id, id, parent_id, name, status, start_time, end_time,
    metadata, created_at)
    SELECT trace.workspace, span.trace, span.span_id, span.id, span.parent_id, span.name, span.status,
    span.start_time, span.end_time, span.metadata, span.created_at
    FROM span CROSS JOIN trace ON trace.id = span.trace
    WHERE span.id > $after AND span.id <= $until ORDER BY span.id;
DROP TABLE span;
ALTER TABLE new_span RENAME TO span;
DROP TABLE trace;
ALTER TABLE new_trace RENAME TO trace;
CREATE INDEX trace_by_key ON trace (workspace, lower(replace(trace_id, '-', '')));
CREATE INDEX trace_by_prompt ON trace (workspace, prompt_name, id);

CREATE TABLE new_run (
    workspace     TEXT NOT NULL,
    id            INTEGER NOT NULL,
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
    -- Whether it has ever ended: one that is opened again and ends again is counted once.
    has_ended     INTEGER NOT NULL DEFAULT 0 CHECK (has_ended IN (0, 1)),
    PRIMARY KEY (workspace, id),
    UNIQUE (workspace, run_id)
) STRICT;
INSERT INTO new_run (workspace, id, run_id, workflow_name, status, input, output, trace_id, metadata,
    start_time, end_time, created_at, updated_at, has_ended)
    SELECT workspace, id, run_id, workflow_name, status, input, output, trace_id, metadata,
    start_time, end_time, created_at, updated_at, has_ended
    FROM run WHERE id > $after AND id <= $until ORDER BY id;
DROP TABLE run;
ALTER TABLE new_run RENAME TO run;
CREATE INDEX run_by_trace ON run (workspace, trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX run_running ON run (created_at) WHERE status = 'running';

-- Suites are files in Git; here is only the number by which clients know them.
CREATE TABLE new_suite (
    workspace  TEXT NOT NULL,
    id         INTEGER NOT NULL,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, id),
    UNIQUE (workspace, name)
) STRICT;
INSERT INTO new_suite (workspace, id, name, created_at)
    SELECT workspace, id, name, created_at
    FROM suite WHERE id > $after AND id <= $until ORDER BY id;

CREATE TABLE new_result (
    workspace   TEXT NOT NULL,
    id          INTEGER NOT NULL,
    suite       INTEGER NOT NULL,
    result_id   TEXT,                     -- the client's; makes a retry idempotent
    run_id      TEXT,
    score       REAL,
    metadata    TEXT,
    prompt_name TEXT,                     -- what was scored: its run's trace says, else the suite
    version_tag TEXT,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (workspace, id),
    FOREIGN KEY (workspace, suite) REFERENCES suite (workspace, id) ON DELETE CASCADE
) STRICT;
INSERT INTO new_result (workspace, id, suite, result_id, run_id, score, metadata, prompt_name,
    version_tag, created_at)
    SELECT suite.workspace, result.id, result.suite, result.result_id, result.run_id, result.score,
    result.metadata, result.prompt_name, result.version_tag, result.created_at
    FROM result CROSS JOIN suite ON suite.id = result.suite
    WHERE result.id > $after AND result.id <= $until ORDER BY result.id;
DROP TABLE result;
ALTER TABLE new_result RENAME TO result;
DROP TABLE suite;
ALTER TABLE new_suite RENAME TO suite;
CREATE INDEX result_by_suite ON result (workspace, suite, id);
CREATE UNIQUE INDEX result_by_result_id ON result (workspace, suite, result_id)
    WHERE result_id IS NOT NULL;

CREATE TABLE new_metric (
    workspace   TEXT NOT NULL,
    id          INTEGER NOT NULL,
    name        TEXT NOT NULL,
    value       REAL NOT NULL,
    type        TEXT NOT NULL,            -- gauge or counter
    labels      TEXT NOT NULL,            -- JSON, keys sorted
    prompt_name TEXT,
    version_tag TEXT,
    timestamp   INTEGER NOT NULL,         -- milliseconds
    PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
INSERT INTO new_metric (workspace, id, name, value, type, labels, prompt_name, version_tag, timestamp)
    SELECT workspace, id, name, value, type, labels, prompt_name, version_tag, timestamp
    FROM metric WHERE id > $after AND id <= $until ORDER BY id;
DROP TABLE metric;
ALTER TABLE new_metric RENAME TO metric;
CREATE INDEX metric_by_name ON metric (workspace, name, timestamp);

CREATE TABLE new_audit (
    workspace    TEXT NOT NULL,
    id           INTEGER NOT NULL,
    action       TEXT NOT NULL,
    prompt_name  TEXT,
    version_tag  TEXT,
    api_key_name TEXT NOT NULL,
    ip_address   TEXT,
    target_id    TEXT,
    timestamp    INTEGER NOT NULL,
    outcome      TEXT NOT NULL,           -- done; pending and failed for what moves refs
    ref          TEXT,                    -- what a pending row is about to move,
    oid          TEXT,                    -- and to what
    PRIMARY KEY (workspace, id)
) WITHOUT ROWID, STRICT;
INSERT INTO new_audit (workspace, id, action, prompt_name, version_tag, api_key_name, ip_address,
    target_id, timestamp, outcome, ref, oid)
    SELECT workspace_id, id, action, prompt_name, version_tag, api_key_name, ip_address, target_id,
    timestamp, outcome, ref, oid
    FROM audit WHERE id > $after AND id <= $until ORDER BY id;
DROP TABLE audit;
ALTER TABLE new_audit RENAME TO audit;
CREATE INDEX audit_pending ON audit (workspace, id) WHERE outcome = 'pending';
