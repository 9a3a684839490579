-- API keys: only the HMAC of a key is stored.
CREATE TABLE api_key (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    name         TEXT NOT NULL,
    workspace_id TEXT NOT NULL,    -- '*' is a master key
    scopes       TEXT NOT NULL,    -- comma-separated
    hash         TEXT NOT NULL UNIQUE,
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER           -- Unix seconds; null: never
) STRICT;

-- What was published, as it was first seen: a tag that moves later changes nothing.
CREATE TABLE pin (
    workspace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    version    TEXT NOT NULL,
    tag        TEXT NOT NULL,
    commit_oid TEXT,
    blob       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    author     TEXT NOT NULL,
    path       TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    PRIMARY KEY (workspace, name, version)
) WITHOUT ROWID, STRICT;
