-- Who is signed in to the pages: only the HMAC of a session's cookie is stored. A session ends with its key; one
-- that was opened by whoever owns the data folder, with the local token of that start of the server.
CREATE TABLE ui_session (
    hash       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    key_id     BIGINT REFERENCES api_key (id) ON DELETE CASCADE,
    token      TEXT COLLATE "C",
    scopes     TEXT COLLATE "C" NOT NULL,
    changes    BIGINT NOT NULL CHECK (changes IN (0, 1)),
    plain      BIGINT NOT NULL CHECK (plain IN (0, 1)),    -- opened over http, not on this machine
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX ui_session_by_key ON ui_session (key_id);
CREATE INDEX ui_session_by_expiry ON ui_session (expires_at);

-- What answered in the last hour, of all prompts: a row is made once an hour for a version.
CREATE INDEX usage_rollup_by_hour ON usage_rollup (workspace, hour);
