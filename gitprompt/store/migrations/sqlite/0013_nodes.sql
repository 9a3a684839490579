-- Which process began what is pending: only what one that is dead has begun may be settled by others.
ALTER TABLE audit ADD COLUMN boot TEXT;
-- Whether the sums have a span's call: they do not if its log tells of it.
ALTER TABLE span ADD COLUMN counted INTEGER NOT NULL DEFAULT 1;
UPDATE span SET counted = 0 WHERE (workspace, trace, span_id) IN (
    SELECT trace.workspace, trace.id, log.span_id FROM log JOIN trace ON trace.workspace = log.workspace
    AND lower(replace(trace.trace_id, '-', '')) = lower(replace(log.trace_id, '-', ''))
    WHERE log.span_id IS NOT NULL
);
