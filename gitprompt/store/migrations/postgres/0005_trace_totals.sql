-- What the spans of a trace are together: kept in the transaction that stores them, so that traces are found by
-- how they went, how long they took and what they cost, in the order of the lists. Each trace has a row.
CREATE TABLE trace_total (
    workspace   TEXT COLLATE "C" NOT NULL,
    id          BIGINT NOT NULL,
    created_at  BIGINT NOT NULL,
    spans       BIGINT NOT NULL,
    errors      BIGINT NOT NULL,
    first_start BIGINT,
    last_end    BIGINT,
    tokens      BIGINT NOT NULL,
    cost_nano   BIGINT NOT NULL,
    duration    BIGINT NOT NULL,        -- from the first to the last; -1: unknown
    failed      BIGINT NOT NULL,        -- 1: a span has failed
    PRIMARY KEY (workspace, id),
    FOREIGN KEY (workspace, id) REFERENCES trace (workspace, id) ON DELETE CASCADE
);
INSERT INTO trace_total (workspace, id, created_at, spans, errors, first_start, last_end, tokens, cost_nano,
    duration, failed)
    SELECT trace.workspace, trace.id, trace.created_at, count(span.span_id),
    coalesce(sum(CASE WHEN span.status = 'error' THEN 1 ELSE 0 END), 0), min(span.start_time), max(span.end_time),
    coalesce(sum(coalesce((span.facts::json ->> 'tokens_in')::bigint, 0)
        + coalesce((span.facts::json ->> 'tokens_out')::bigint, 0)), 0),
    coalesce(CAST(round(sum(coalesce((span.facts::json ->> 'cost_usd')::numeric, 0)) * 1000000000) AS BIGINT), 0),
    coalesce(max(span.end_time) - min(span.start_time), -1),
    coalesce(max(CASE WHEN span.status = 'error' THEN 1 ELSE 0 END), 0)
    FROM trace LEFT JOIN span ON span.workspace = trace.workspace AND span.trace = trace.id
    GROUP BY trace.workspace, trace.id, trace.created_at;
CREATE INDEX trace_total_failed ON trace_total (workspace, failed, created_at, id);
CREATE INDEX trace_total_by_duration ON trace_total (workspace, duration, id);
CREATE INDEX trace_total_by_cost ON trace_total (workspace, cost_nano, id);

-- From a version to its traces: those of a prompt alone are many.
CREATE INDEX trace_by_version ON trace (workspace, prompt_name, version_tag, created_at, id)
    WHERE version_tag IS NOT NULL;
