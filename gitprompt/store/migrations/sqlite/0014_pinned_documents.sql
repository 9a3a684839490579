-- The document as it is served, where many nodes share the database: an empty one serves what Git has lost.
ALTER TABLE pin ADD COLUMN document BLOB;
