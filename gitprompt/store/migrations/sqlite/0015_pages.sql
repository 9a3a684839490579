-- Who is signed in to the pages: only the HMAC of a session's cookie is stored. A session ends with its key; one
-- that was opened by whoever owns the data folder, with the local token of that start of the server.
CREATE TABLE ui_session (
    hash       TEXT NOT NULL PRIMARY KEY,
    key_id     INTEGER REFERENCES api_key (id) ON DELETE CASCADE,
    token      TEXT,                     -- HMAC of the local token, if there is no key
    scopes     TEXT NOT NULL,            -- comma-separated: no more than the key's
    changes    INTEGER NOT NULL CHECK (changes IN (0, 1)),
    plain      INTEGER NOT NULL CHECK (plain IN (0, 1)),    -- opened over http, not on this machine
    created_at INTEGER NOT NULL,         -- Unix seconds
    seen_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX ui_session_by_key ON ui_session (key_id);
CREATE INDEX ui_session_by_expiry ON ui_session (expires_at);

-- What answered in the last hour, of all prompts: a row is made once an hour for a version.
CREATE INDEX usage_rollup_by_hour ON usage_rollup (workspace, hour);
