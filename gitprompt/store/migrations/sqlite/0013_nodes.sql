-- Which process began what is pending: only what one that is dead has begun may be settled by others.
ALTER TABLE audit ADD COLUMN boot TEXT;
-- What must stay the same as long as keys depend on it.
CREATE TABLE fingerprint (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID, STRICT;
