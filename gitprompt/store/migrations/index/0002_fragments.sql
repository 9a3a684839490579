-- What a document includes: a line `<name> <blob>` for each fragment.
ALTER TABLE version ADD COLUMN fragments TEXT NOT NULL DEFAULT '';
-- What was refused because it included one may be valid now: the next sync looks again.
DELETE FROM rejected;
