-- What the document of a pinned version includes: a line `<name> <blob>` for each fragment.
ALTER TABLE pin ADD COLUMN fragments TEXT NOT NULL DEFAULT '';
