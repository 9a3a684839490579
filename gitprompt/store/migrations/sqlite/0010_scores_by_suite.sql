-- Scores of several suites have no mean together. What retention has forgotten of them stays under no name.
CREATE TABLE new_score_rollup (
    workspace   TEXT NOT NULL,
    prompt_name TEXT NOT NULL,
    version_tag TEXT NOT NULL,
    hour        INTEGER NOT NULL,
    name        TEXT NOT NULL,            -- of the suite
    scores      INTEGER NOT NULL,
    total       INTEGER NOT NULL,         -- millionths
    PRIMARY KEY (workspace, prompt_name, version_tag, hour, name)
) WITHOUT ROWID, STRICT;
INSERT INTO new_score_rollup (workspace, prompt_name, version_tag, hour, name, scores, total)
    SELECT result.workspace, coalesce(result.prompt_name, ''), coalesce(result.version_tag, ''),
    result.created_at / 3600, suite.name, count(*), sum(CAST(round(result.score * 1000000) AS INTEGER))
    FROM result JOIN suite ON suite.workspace = result.workspace AND suite.id = result.suite
    WHERE result.score IS NOT NULL GROUP BY 1, 2, 3, 4, 5;
INSERT INTO new_score_rollup (workspace, prompt_name, version_tag, hour, name, scores, total)
    SELECT before.workspace, before.prompt_name, before.version_tag, before.hour, '',
    before.scores - coalesce(sum(known.scores), 0), before.total - coalesce(sum(known.total), 0)
    FROM score_rollup AS before LEFT JOIN new_score_rollup AS known
    ON known.workspace = before.workspace AND known.prompt_name = before.prompt_name
    AND known.version_tag = before.version_tag AND known.hour = before.hour
    GROUP BY before.workspace, before.prompt_name, before.version_tag, before.hour
    HAVING before.scores > coalesce(sum(known.scores), 0);
DROP TABLE score_rollup;
ALTER TABLE new_score_rollup RENAME TO score_rollup;
