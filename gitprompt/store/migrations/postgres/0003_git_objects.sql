-- DRIVER=postgres keeps Git here: the entries of its log, and packs. They are compressed already.
CREATE TABLE git_object (
    workspace TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    data BYTEA NOT NULL,
    PRIMARY KEY (workspace, key)
);
ALTER TABLE git_object ALTER data SET STORAGE EXTERNAL;
