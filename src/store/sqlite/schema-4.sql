CREATE TABLE es_folds (
    -- The rules that states were folded by, each once.
    id     INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE es_snapshots (
    -- What the first events of a stream add up to, so that folding can begin there. Never the truth: all of it can be
    -- removed at any time, and whatever is not as its hash says is passed over.
    stream  INTEGER NOT NULL REFERENCES es_streams (id),
    fold    INTEGER NOT NULL REFERENCES es_folds (id), -- by which rules
    version INTEGER NOT NULL, -- of the last event in it
    hash    BLOB NOT NULL, -- SHA-256 over the store, rules, stream, version, that event's hash, and the state
    state   TEXT NOT NULL, -- JSON
    PRIMARY KEY (stream, fold, version)
) STRICT, WITHOUT ROWID;
