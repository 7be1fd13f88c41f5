CREATE TABLE es_store (
    -- What the store knows about itself; `id` is its identity, a UUID.
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE es_streams (
    id        INTEGER PRIMARY KEY,
    name      TEXT NOT NULL UNIQUE, -- aggregate/id
    aggregate TEXT NOT NULL
) STRICT;

CREATE TABLE es_types (
    -- An event's type belongs to an aggregate: the same name under two aggregates is two types.
    id        INTEGER PRIMARY KEY,
    aggregate TEXT NOT NULL,
    name      TEXT NOT NULL,
    UNIQUE (aggregate, name)
) STRICT;

CREATE TABLE es_domains (
    -- Every domain text that decided something here, once.
    id     INTEGER PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    text   TEXT NOT NULL
) STRICT;

CREATE TABLE es_commands (
    id          INTEGER PRIMARY KEY, -- 1, 2, 3 … in commit order
    command_id  TEXT NOT NULL UNIQUE,
    stream      INTEGER NOT NULL REFERENCES es_streams (id),
    name        TEXT NOT NULL,
    time        INTEGER NOT NULL, -- microseconds since 1970-01-01T00:00:00Z
    domain      INTEGER NOT NULL REFERENCES es_domains (id),
    first       INTEGER NOT NULL, -- position of its first event; the others follow it
    events      INTEGER NOT NULL, -- how many it has
    actor       TEXT,
    correlation TEXT,
    causation   TEXT,
    meta        TEXT, -- JSON
    data        TEXT NOT NULL -- JSON
) STRICT;

CREATE TABLE es_events (
    position INTEGER PRIMARY KEY, -- 1, 2, 3 … in commit order, without gaps
    stream   INTEGER NOT NULL REFERENCES es_streams (id),
    version  INTEGER NOT NULL, -- 1, 2, 3 … in its stream, without gaps
    type     INTEGER NOT NULL REFERENCES es_types (id),
    schema   INTEGER NOT NULL, -- the schema version of its data
    time     INTEGER NOT NULL, -- microseconds since 1970-01-01T00:00:00Z, its command's
    command  INTEGER NOT NULL REFERENCES es_commands (id),
    hash     BLOB NOT NULL, -- SHA-256 over the hash before it, this event and its command
    data     TEXT NOT NULL, -- JSON; last, so that skipping an event does not read it
    UNIQUE (stream, version)
) STRICT;

CREATE TABLE es_generations (
    -- One filling of a projection: its rows are in the table "<projection>__<number>".
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    projection TEXT NOT NULL,
    digest     TEXT NOT NULL, -- of the rules that fill it
    checkpoint INTEGER NOT NULL, -- the last position it has seen
    state      TEXT NOT NULL CHECK (state IN ('building', 'served', 'retired')),
    since      INTEGER -- when it was put in service, in microseconds since 1970-01-01T00:00:00Z
) STRICT;

CREATE UNIQUE INDEX es_generations_served ON es_generations (projection) WHERE state = 'served';
CREATE UNIQUE INDEX es_generations_building ON es_generations (projection) WHERE state = 'building';

-- Against accidents. An UPDATE and a DELETE are refused as such; INSERT OR REPLACE would remove a row without being
-- either, so an INSERT must bring the next number and nothing that is there already. That one FAILs instead of ABORTing:
-- for what may abort, SQLite copies every page it touches first, and of one row there is nothing to undo.

CREATE TRIGGER es_events_insert BEFORE INSERT ON es_events
WHEN NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM es_events)
  OR NEW.version IS NOT (SELECT coalesce(max(version), 0) + 1 FROM es_events WHERE stream = NEW.stream)
BEGIN SELECT RAISE(FAIL, 'an event is added at the next position and the next version of its stream'); END;
CREATE TRIGGER es_events_update BEFORE UPDATE ON es_events
BEGIN SELECT RAISE(ABORT, 'a stored event is never changed'); END;
CREATE TRIGGER es_events_delete BEFORE DELETE ON es_events
BEGIN SELECT RAISE(ABORT, 'a stored event is never removed'); END;

CREATE TRIGGER es_commands_insert BEFORE INSERT ON es_commands
WHEN NEW.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM es_commands)
  OR EXISTS (SELECT 1 FROM es_commands WHERE command_id = NEW.command_id)
BEGIN SELECT RAISE(FAIL, 'a command is added once, with the next number'); END;
CREATE TRIGGER es_commands_update BEFORE UPDATE ON es_commands
BEGIN SELECT RAISE(ABORT, 'a stored command is never changed'); END;
CREATE TRIGGER es_commands_delete BEFORE DELETE ON es_commands
BEGIN SELECT RAISE(ABORT, 'a stored command is never removed'); END;

CREATE TRIGGER es_domains_insert BEFORE INSERT ON es_domains
WHEN NEW.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM es_domains)
  OR EXISTS (SELECT 1 FROM es_domains WHERE digest = NEW.digest)
BEGIN SELECT RAISE(FAIL, 'a domain text is added once, with the next number'); END;
CREATE TRIGGER es_domains_update BEFORE UPDATE ON es_domains
BEGIN SELECT RAISE(ABORT, 'a stored domain text is never changed'); END;
CREATE TRIGGER es_domains_delete BEFORE DELETE ON es_domains
BEGIN SELECT RAISE(ABORT, 'a stored domain text is never removed'); END;

CREATE TRIGGER es_streams_insert BEFORE INSERT ON es_streams
WHEN NEW.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM es_streams)
  OR EXISTS (SELECT 1 FROM es_streams WHERE name = NEW.name)
BEGIN SELECT RAISE(FAIL, 'a stream is added once, with the next number'); END;
CREATE TRIGGER es_streams_update BEFORE UPDATE ON es_streams
BEGIN SELECT RAISE(ABORT, 'a stored stream is never changed'); END;
CREATE TRIGGER es_streams_delete BEFORE DELETE ON es_streams
BEGIN SELECT RAISE(ABORT, 'a stored stream is never removed'); END;

CREATE TRIGGER es_types_insert BEFORE INSERT ON es_types
WHEN NEW.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM es_types)
  OR EXISTS (SELECT 1 FROM es_types WHERE aggregate = NEW.aggregate AND name = NEW.name)
BEGIN SELECT RAISE(FAIL, 'a type is added once, with the next number'); END;
CREATE TRIGGER es_types_update BEFORE UPDATE ON es_types
BEGIN SELECT RAISE(ABORT, 'a stored type is never changed'); END;
CREATE TRIGGER es_types_delete BEFORE DELETE ON es_types
BEGIN SELECT RAISE(ABORT, 'a stored type is never removed'); END;

CREATE TRIGGER es_store_insert BEFORE INSERT ON es_store
WHEN EXISTS (SELECT 1 FROM es_store WHERE key = NEW.key)
BEGIN SELECT RAISE(FAIL, 'what a store is never changes'); END;
CREATE TRIGGER es_store_update BEFORE UPDATE ON es_store
BEGIN SELECT RAISE(ABORT, 'what a store is never changes'); END;
CREATE TRIGGER es_store_delete BEFORE DELETE ON es_store
BEGIN SELECT RAISE(ABORT, 'what a store is never changes'); END;

-- For people: the same with names instead of numbers, times as RFC 3339 and hashes in hex. The whole seconds of a time
-- are its microseconds rounded down, also before 1970, where `/` and `%` alone would round up.

CREATE VIEW events AS
SELECT e.position, s.name AS stream, e.version, t.name AS type, e.schema,
       strftime('%Y-%m-%dT%H:%M:%S', (e.time - (e.time % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
           || printf('.%06dZ', (e.time % 1000000 + 1000000) % 1000000) AS time,
       c.command_id AS command, e.data, lower(hex(e.hash)) AS hash
FROM es_events e
JOIN es_streams s ON s.id = e.stream
JOIN es_types t ON t.id = e.type
JOIN es_commands c ON c.id = e.command;

CREATE VIEW streams AS
SELECT s.name, s.aggregate, l.version, f.position AS first, l.position AS last,
       strftime('%Y-%m-%dT%H:%M:%S', (l.time - (l.time % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
           || printf('.%06dZ', (l.time % 1000000 + 1000000) % 1000000) AS time
FROM es_streams s
JOIN es_events f ON f.stream = s.id AND f.version = 1
JOIN es_events l ON l.stream = s.id AND l.version = (SELECT max(version) FROM es_events WHERE stream = s.id);

CREATE VIEW commands AS
SELECT c.command_id AS id, s.name AS stream, c.name,
       strftime('%Y-%m-%dT%H:%M:%S', (c.time - (c.time % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
           || printf('.%06dZ', (c.time % 1000000 + 1000000) % 1000000) AS time,
       c.first, c.events, c.actor, c.correlation, c.causation, c.meta, d.digest AS domain, c.data
FROM es_commands c
JOIN es_streams s ON s.id = c.stream
JOIN es_domains d ON d.id = c.domain;

CREATE VIEW domains AS
SELECT digest, text FROM es_domains;

CREATE VIEW projections AS
SELECT projection AS name, number, state, checkpoint,
       strftime('%Y-%m-%dT%H:%M:%S', (since - (since % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
           || printf('.%06dZ', (since % 1000000 + 1000000) % 1000000) AS since,
       digest, projection || '__' || number AS "table"
FROM es_generations;
