-- What a run is about, as of traces.
ALTER TABLE run ADD COLUMN session_id TEXT;
ALTER TABLE run ADD COLUMN user_id TEXT;
ALTER TABLE run ADD COLUMN environment TEXT;
ALTER TABLE run ADD COLUMN release TEXT;
ALTER TABLE run ADD COLUMN tags TEXT;       -- a JSON array
CREATE INDEX run_by_session ON run (workspace, session_id, created_at, id) WHERE session_id IS NOT NULL;
CREATE INDEX run_by_user ON run (workspace, user_id, created_at, id) WHERE user_id IS NOT NULL;
CREATE INDEX run_by_environment ON run (workspace, environment, created_at, id) WHERE environment IS NOT NULL;
CREATE INDEX run_by_release ON run (workspace, release, created_at, id) WHERE release IS NOT NULL;
