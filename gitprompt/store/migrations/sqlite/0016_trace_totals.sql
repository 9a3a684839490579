-- What the spans of a trace are together: kept in the transaction that stores them, so that traces are found by
-- how they went, how long they took and what they cost, in the order of the lists. Each trace has a row.
CREATE TABLE trace_total (
    workspace   TEXT NOT NULL,
    id          INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    spans       INTEGER NOT NULL,
    errors      INTEGER NOT NULL,
    first_start INTEGER,                 -- as the caller sent it, usually milliseconds
    last_end    INTEGER,
    tokens      INTEGER NOT NULL,        -- of calls of models, in and out
    cost_nano   INTEGER NOT NULL,        -- 10^-9 USD, of the calls whose cost is known
    duration    INTEGER NOT NULL,        -- from the first to the last; -1: unknown
    failed      INTEGER NOT NULL,        -- 1: a span has failed
    PRIMARY KEY (workspace, id),
    FOREIGN KEY (workspace, id) REFERENCES trace (workspace, id) ON DELETE CASCADE
) WITHOUT ROWID, STRICT;
INSERT INTO trace_total (workspace, id, created_at, spans, errors, first_start, last_end, tokens, cost_nano,
    duration, failed)
    SELECT trace.workspace, trace.id, trace.created_at, count(span.span_id),
    coalesce(sum(span.status = 'error'), 0), min(span.start_time), max(span.end_time),
    coalesce(sum(coalesce(json_extract(span.facts, '$.tokens_in'), 0)
        + coalesce(json_extract(span.facts, '$.tokens_out'), 0)), 0),
    coalesce(CAST(round(sum(coalesce(json_extract(span.facts, '$.cost_usd'), 0)) * 1000000000) AS INTEGER), 0),
    coalesce(max(span.end_time) - min(span.start_time), -1),
    coalesce(max(span.status = 'error'), 0)
    FROM trace LEFT JOIN span ON span.workspace = trace.workspace AND span.trace = trace.id
    WHERE trace.id > $after AND trace.id <= $until GROUP BY trace.workspace, trace.id;
CREATE INDEX trace_total_failed ON trace_total (workspace, failed, created_at, id);
CREATE INDEX trace_total_by_duration ON trace_total (workspace, duration, id);
CREATE INDEX trace_total_by_cost ON trace_total (workspace, cost_nano, id);

-- From a version to its traces: those of a prompt alone are many.
CREATE INDEX trace_by_version ON trace (workspace, prompt_name, version_tag, created_at, id)
    WHERE version_tag IS NOT NULL;
