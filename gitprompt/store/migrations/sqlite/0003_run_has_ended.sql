-- Whether a run has ever ended: one that is opened again and ends again is counted once.
ALTER TABLE run ADD COLUMN has_ended INTEGER NOT NULL DEFAULT 0 CHECK (has_ended IN (0, 1));
UPDATE run SET has_ended = 1 WHERE status IN ('completed', 'failed');
CREATE INDEX run_running ON run (created_at) WHERE status = 'running';
