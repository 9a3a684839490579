-- Telemetry is listed, and forgotten, in the order in which it happened, which is not that in which it came.
CREATE INDEX log_by_time ON log (workspace, created_at, id);
DROP INDEX log_by_prompt;
CREATE INDEX log_by_prompt ON log (workspace, prompt_name, created_at, id);
CREATE INDEX trace_by_time ON trace (workspace, created_at, id);
DROP INDEX trace_by_prompt;
CREATE INDEX trace_by_prompt ON trace (workspace, prompt_name, created_at, id);
CREATE INDEX run_by_time ON run (workspace, created_at, id);
CREATE INDEX result_by_time ON result (workspace, created_at, id);
DROP INDEX result_by_suite;
CREATE INDEX result_by_suite ON result (workspace, suite, created_at, id);
CREATE INDEX metric_by_time ON metric (workspace, timestamp, id);
