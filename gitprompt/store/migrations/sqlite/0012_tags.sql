-- Lists are narrowed by a tag: a row for each tag of a trace or a run, in the order of their lists.
CREATE TABLE trace_tag (
    workspace  TEXT NOT NULL,
    tag        TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    id         INTEGER NOT NULL,
    PRIMARY KEY (workspace, tag, created_at, id),
    FOREIGN KEY (workspace, id) REFERENCES trace (workspace, id) ON DELETE CASCADE
) WITHOUT ROWID, STRICT;
CREATE INDEX trace_tag_by_trace ON trace_tag (workspace, id);
INSERT INTO trace_tag (workspace, tag, created_at, id)
    SELECT DISTINCT trace.workspace, tag.value, trace.created_at, trace.id
    FROM trace JOIN json_each(trace.tags) AS tag
    WHERE trace.id > $after AND trace.id <= $until AND trace.tags IS NOT NULL AND tag.type = 'text';
CREATE TABLE run_tag (
    workspace  TEXT NOT NULL,
    tag        TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    id         INTEGER NOT NULL,
    PRIMARY KEY (workspace, tag, created_at, id),
    FOREIGN KEY (workspace, id) REFERENCES run (workspace, id) ON DELETE CASCADE
) WITHOUT ROWID, STRICT;
CREATE INDEX run_tag_by_run ON run_tag (workspace, id);
INSERT INTO run_tag (workspace, tag, created_at, id)
    SELECT DISTINCT run.workspace, tag.value, run.created_at, run.id
    FROM run JOIN json_each(run.tags) AS tag
    WHERE run.id > $after AND run.id <= $until AND run.tags IS NOT NULL AND tag.type = 'text';
