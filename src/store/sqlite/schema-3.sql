CREATE TABLE es_ahead (
    -- While a generation is built, some of its rows may have seen more than its checkpoint says: those whose key, as JSON
    -- text, sorts (by bytes) up to `key` have seen up to `position`.
    generation INTEGER NOT NULL PRIMARY KEY REFERENCES es_generations (number),
    position   INTEGER NOT NULL,
    key        TEXT NOT NULL
) STRICT;

CREATE TABLE es_failures (
    -- Events that a projection could not apply: it stopped before such an event, or was told to go on past it.
    generation INTEGER NOT NULL REFERENCES es_generations (number),
    position   INTEGER NOT NULL, -- of the event
    state      TEXT NOT NULL CHECK (state IN ('stopped', 'parked')),
    key        TEXT, -- of the row it was to change, as JSON, where it came that far
    error      TEXT NOT NULL,
    place      TEXT, -- of the mistake, file:line:column
    PRIMARY KEY (generation, position)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX es_failures_stopped ON es_failures (generation) WHERE state = 'stopped';
