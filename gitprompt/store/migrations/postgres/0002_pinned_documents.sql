-- The document as it is served: an empty node serves what its Git has lost, or never had.
ALTER TABLE pin ADD COLUMN document BYTEA;
