-- A score says how a trace, a span, a session or a run went; what a suite found is the part that has one.
-- A score that a suite has not given is replaced by its id; a result is not.
CREATE TABLE score (
    workspace   TEXT NOT NULL,
    id          INTEGER NOT NULL,
    suite       INTEGER,                  -- NULL: of no suite
    score_id    TEXT,                     -- the client's; makes a retry idempotent
    name        TEXT NOT NULL,            -- that of the suite, or its own
    type        TEXT NOT NULL,            -- numeric, boolean, categorical or text
    number      REAL,                     -- 0 or 1 for a boolean
    text        TEXT,                     -- a category, or what was said
    trace_id    TEXT,
    span_id     TEXT,
    session_id  TEXT,
    run_id      TEXT,
    comment     TEXT,
    source      TEXT,
    metadata    TEXT,
    prompt_name TEXT,                     -- what was scored: its trace says, else the suite
    version_tag TEXT,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (workspace, id),
    FOREIGN KEY (workspace, suite) REFERENCES suite (workspace, id) ON DELETE CASCADE
) STRICT;
INSERT INTO score (workspace, id, suite, score_id, name, type, number, run_id, metadata, prompt_name,
    version_tag, created_at)
    SELECT result.workspace, result.id, result.suite, result.result_id, suite.name, 'numeric',
    result.score, result.run_id, result.metadata, result.prompt_name, result.version_tag,
    result.created_at
    FROM result CROSS JOIN suite ON suite.workspace = result.workspace AND suite.id = result.suite
    WHERE result.id > $after AND result.id <= $until ORDER BY result.id;
DROP TABLE result;
UPDATE sequence SET name = 'score' WHERE name = 'result';
CREATE INDEX score_by_time ON score (workspace, created_at, id);
CREATE INDEX score_by_name ON score (workspace, name, created_at, id);
CREATE INDEX score_by_suite ON score (workspace, suite, created_at, id) WHERE suite IS NOT NULL;
CREATE INDEX score_by_trace ON score (workspace, lower(replace(trace_id, '-', '')), created_at, id)
    WHERE trace_id IS NOT NULL;
CREATE INDEX score_by_session ON score (workspace, session_id, created_at, id)
    WHERE session_id IS NOT NULL;
CREATE INDEX score_by_run ON score (workspace, run_id, created_at, id) WHERE run_id IS NOT NULL;
CREATE INDEX score_by_prompt ON score (workspace, prompt_name, created_at, id)
    WHERE prompt_name IS NOT NULL;
CREATE UNIQUE INDEX score_by_result_id ON score (workspace, suite, score_id)
    WHERE suite IS NOT NULL AND score_id IS NOT NULL;
CREATE UNIQUE INDEX score_by_score_id ON score (workspace, score_id) WHERE suite IS NULL;

-- A suite and a score of one name have no mean together.
CREATE TABLE new_score_rollup (
    workspace   TEXT NOT NULL,
    prompt_name TEXT NOT NULL,
    version_tag TEXT NOT NULL,
    hour        INTEGER NOT NULL,
    name        TEXT NOT NULL,
    of_suite    INTEGER NOT NULL CHECK (of_suite IN (0, 1)),
    scores      INTEGER NOT NULL,
    total       INTEGER NOT NULL,         -- millionths
    PRIMARY KEY (workspace, prompt_name, version_tag, hour, name, of_suite)
) WITHOUT ROWID, STRICT;
INSERT INTO new_score_rollup (workspace, prompt_name, version_tag, hour, name, of_suite, scores, total)
    SELECT workspace, prompt_name, version_tag, hour, name, 1, scores, total FROM score_rollup;
DROP TABLE score_rollup;
ALTER TABLE new_score_rollup RENAME TO score_rollup;

-- The runs of a trace, in whatever spelling.
DROP INDEX run_by_trace;
CREATE INDEX run_by_trace ON run (workspace, lower(replace(trace_id, '-', '')), created_at, id)
    WHERE trace_id IS NOT NULL;
