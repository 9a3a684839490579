-- The index: a function of (Git, pins). Nothing here depends on the order in which refs arrived.

CREATE TABLE workspace (
    workspace   TEXT NOT NULL PRIMARY KEY,
    branch      TEXT,              -- the default branch
    head        TEXT,              -- its tip
    settings    TEXT NOT NULL,     -- gitprompt.yaml as JSON: [namespace, protected, checks]
    suites_tree TEXT               -- the tree of evals/ that `suite` was read from
) WITHOUT ROWID, STRICT;

CREATE TABLE prompt (
    workspace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    folded     TEXT NOT NULL,      -- two names that differ only in case cannot both exist
    latest     TEXT NOT NULL,      -- the newest version
    updated_at INTEGER NOT NULL,   -- when the last version was made, Unix seconds
    tags       TEXT NOT NULL,      -- tags of the newest version, a JSON array
    PRIMARY KEY (workspace, name)
) WITHOUT ROWID, STRICT;
CREATE UNIQUE INDEX prompt_folded ON prompt (workspace, folded);

CREATE TABLE version (
    workspace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    version    TEXT NOT NULL,
    precedence TEXT NOT NULL,      -- sorts as SemVer 2 says; equal for 1, 1.0 and 1.0.0
    tag        TEXT NOT NULL,      -- the tag object, or the commit of a lightweight tag
    commit_oid TEXT,               -- null where the tag points straight at a blob
    blob       TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    author     TEXT NOT NULL,
    path       TEXT NOT NULL,
    document   BLOB,               -- compact JSON, name and version as published; null where Git has lost the bytes
    PRIMARY KEY (workspace, name, precedence)
) STRICT;

CREATE TABLE label (
    workspace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    label      TEXT NOT NULL,
    tip        TEXT NOT NULL,      -- what the ref points at
    version    TEXT,               -- null: the label was removed
    created_at INTEGER NOT NULL,
    bare       INTEGER NOT NULL,   -- 1: its oldest value depends on which versions exist
    PRIMARY KEY (workspace, name, label)
) WITHOUT ROWID, STRICT;

CREATE TABLE label_move (
    workspace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    label      TEXT NOT NULL,
    position   INTEGER NOT NULL,   -- 0 is the oldest
    commit_oid TEXT NOT NULL,
    version    TEXT,
    previous   TEXT,
    actor      TEXT NOT NULL,
    reason     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, name, label, position)
) WITHOUT ROWID, STRICT;

CREATE TABLE suite (
    workspace TEXT NOT NULL,
    name      TEXT NOT NULL,
    blob      TEXT NOT NULL,
    document  TEXT NOT NULL,
    PRIMARY KEY (workspace, name)
) WITHOUT ROWID, STRICT;

CREATE TABLE rejected (
    workspace TEXT NOT NULL,
    ref       TEXT NOT NULL,       -- a ref, or a path at the tip of the default branch
    oid       TEXT NOT NULL,
    findings  TEXT NOT NULL,       -- JSON
    PRIMARY KEY (workspace, ref)
) WITHOUT ROWID, STRICT;

CREATE TABLE tampered (
    workspace TEXT NOT NULL,
    ref       TEXT NOT NULL,
    pinned    TEXT NOT NULL,
    seen      TEXT,                -- null: the tag is gone
    PRIMARY KEY (workspace, ref)
) WITHOUT ROWID, STRICT;
