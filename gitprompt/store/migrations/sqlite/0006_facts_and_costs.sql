-- What a span was recognised as when it came (JSON of `SpanFacts`; NULL: it came before that was kept), and
-- what a call cost in 10^-9 USD, sent or from the price table of that day; NULL: nobody knows.
ALTER TABLE span ADD COLUMN facts TEXT;
ALTER TABLE log ADD COLUMN cost_nano INTEGER;
UPDATE log SET cost_nano = CAST(round(cost_usd * 1000000000) AS INTEGER)
    WHERE cost_usd IS NOT NULL;
-- How many calls of an hour have no known cost.
ALTER TABLE usage_rollup ADD COLUMN unpriced INTEGER NOT NULL DEFAULT 0;
UPDATE usage_rollup SET unpriced = calls WHERE cost_nano = 0;
