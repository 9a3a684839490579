-- The document as it is served: an empty node serves what its Git has lost, or never had.
ALTER TABLE pin ADD COLUMN document BYTEA;

-- Rows whose number nobody asks for are copied without it.
ALTER TABLE log ALTER id SET DEFAULT nextval('gitprompt.log_number');
ALTER TABLE trace ALTER id SET DEFAULT nextval('gitprompt.trace_number');
ALTER TABLE span ALTER id SET DEFAULT nextval('gitprompt.span_number');
ALTER TABLE run ALTER id SET DEFAULT nextval('gitprompt.run_number');
ALTER TABLE suite ALTER id SET DEFAULT nextval('gitprompt.suite_number');
ALTER TABLE score ALTER id SET DEFAULT nextval('gitprompt.score_number');
ALTER TABLE metric ALTER id SET DEFAULT nextval('gitprompt.metric_number');
ALTER TABLE audit ALTER id SET DEFAULT nextval('gitprompt.audit_number');
