-- What a trace is about, which lists are narrowed by.
ALTER TABLE trace ADD COLUMN name TEXT;
ALTER TABLE trace ADD COLUMN session_id TEXT;
ALTER TABLE trace ADD COLUMN user_id TEXT;
ALTER TABLE trace ADD COLUMN environment TEXT;
ALTER TABLE trace ADD COLUMN release TEXT;
ALTER TABLE trace ADD COLUMN tags TEXT;     -- a JSON array
ALTER TABLE trace ADD COLUMN input TEXT;    -- JSON
ALTER TABLE trace ADD COLUMN output TEXT;   -- JSON
CREATE INDEX trace_by_name ON trace (workspace, name, created_at, id) WHERE name IS NOT NULL;
CREATE INDEX trace_by_session ON trace (workspace, session_id, created_at, id) WHERE session_id IS NOT NULL;
CREATE INDEX trace_by_user ON trace (workspace, user_id, created_at, id) WHERE user_id IS NOT NULL;
CREATE INDEX trace_by_environment ON trace (workspace, environment, created_at, id) WHERE environment IS NOT NULL;
CREATE INDEX trace_by_release ON trace (workspace, release, created_at, id) WHERE release IS NOT NULL;
