CREATE TABLE es_processes (
    -- What reacts to events with commands, and how far it has come.
    id         INTEGER PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE,
    digest     TEXT NOT NULL, -- of the rules it went by last
    since      INTEGER NOT NULL, -- it began after this position
    checkpoint INTEGER NOT NULL, -- the last position it has routed
    stopped    INTEGER, -- position of the event before which it stopped, since no instance could be told for it
    error      TEXT, -- why
    place      TEXT, -- of the mistake, file:line:column
    CHECK ((stopped IS NULL) = (error IS NULL))
) STRICT;

CREATE TABLE es_instances (
    -- What a process has come to for each key.
    id      INTEGER PRIMARY KEY,
    process INTEGER NOT NULL REFERENCES es_processes (id),
    key     TEXT NOT NULL, -- JSON
    began   INTEGER NOT NULL, -- position of the event it began with
    steps   INTEGER NOT NULL, -- number of its last step
    time    INTEGER NOT NULL, -- of that step, in microseconds since 1970-01-01T00:00:00Z
    ended   INTEGER NOT NULL CHECK (ended IN (0, 1)),
    ignored INTEGER NOT NULL, -- events that came after its end
    stopped TEXT, -- why it does not go on
    held    INTEGER NOT NULL CHECK (held = (stopped IS NOT NULL)), -- that it does not
    state   TEXT NOT NULL,
    UNIQUE (process, key)
) STRICT;

-- For counting without reading states.
CREATE INDEX es_instances_counted ON es_instances (process, held, ended, ignored);

CREATE TABLE es_steps (
    -- What happened to instances. Like events, steps are only ever added.
    id        INTEGER PRIMARY KEY, -- 1, 2, 3 … in commit order
    instance  INTEGER NOT NULL REFERENCES es_instances (id),
    number    INTEGER NOT NULL, -- 1, 2, 3 … in its instance, without gaps
    kind      TEXT NOT NULL CHECK (kind IN
        ('event', 'sent', 'rejected', 'deadline', 'ended', 'stopped', 'skipped', 'retried')),
    time      INTEGER NOT NULL, -- microseconds since 1970-01-01T00:00:00Z
    position  INTEGER, -- of the event it is about
    name      TEXT, -- of the event's type, the command or the deadline
    command   TEXT, -- id of the command that was sent or rejected
    causation TEXT,
    data      TEXT, -- JSON
    CHECK (kind NOT IN ('sent', 'rejected') OR command IS NOT NULL),
    UNIQUE (instance, number)
) STRICT;

-- No command is sent twice.
CREATE UNIQUE INDEX es_steps_sent ON es_steps (command) WHERE kind = 'sent';
CREATE INDEX es_steps_rejected ON es_steps (command) WHERE kind = 'rejected';
CREATE INDEX es_steps_rejections ON es_steps (id) WHERE kind = 'rejected';

-- What an instance still has to do. `held` says that the instance is stopped, so that looking for the next thing to do does
-- not go through what cannot be done: the same is kept twice, and changed together.

CREATE TABLE es_outgoing (
    -- Commands that are still to be sent.
    number      INTEGER PRIMARY KEY AUTOINCREMENT, -- in the order in which they are sent; never used again
    instance    INTEGER NOT NULL REFERENCES es_instances (id),
    held        INTEGER NOT NULL CHECK (held IN (0, 1)),
    id          TEXT NOT NULL, -- of the command
    stream      TEXT NOT NULL, -- by name, since it may have no event yet
    name        TEXT NOT NULL, -- of the command
    correlation TEXT,
    causation   TEXT,
    label       TEXT NOT NULL, -- what the id derives from
    data        TEXT NOT NULL -- JSON
) STRICT;

CREATE INDEX es_outgoing_next ON es_outgoing (held);
CREATE INDEX es_outgoing_instance ON es_outgoing (instance);

CREATE TABLE es_waiting (
    -- Events that wait until an instance goes on.
    instance INTEGER NOT NULL REFERENCES es_instances (id),
    position INTEGER NOT NULL, -- of the event
    held     INTEGER NOT NULL CHECK (held IN (0, 1)),
    process  INTEGER NOT NULL, -- its instance's
    key      TEXT NOT NULL, -- its instance's
    PRIMARY KEY (instance, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX es_waiting_next ON es_waiting (process, held, position, key);

CREATE TABLE es_deadlines (
    -- When an instance is to be woken.
    id          INTEGER PRIMARY KEY, -- in the order in which they were set
    instance    INTEGER NOT NULL REFERENCES es_instances (id),
    name        TEXT NOT NULL,
    due         INTEGER NOT NULL, -- microseconds since 1970-01-01T00:00:00Z
    held        INTEGER NOT NULL CHECK (held IN (0, 1)),
    process     INTEGER NOT NULL, -- its instance's
    correlation TEXT,
    causation   TEXT,
    label       TEXT NOT NULL, -- what the ids of its commands derive from
    UNIQUE (instance, name)
) STRICT;

CREATE INDEX es_deadlines_next ON es_deadlines (process, held, due);

-- Against accidents, as with events.

CREATE TRIGGER es_steps_insert BEFORE INSERT ON es_steps
WHEN NEW.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM es_steps)
  OR NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM es_steps WHERE instance = NEW.instance)
  OR NEW.kind = 'sent' AND EXISTS (SELECT 1 FROM es_steps WHERE kind = 'sent' AND command = NEW.command)
BEGIN SELECT RAISE(FAIL, 'a step is added with the next number, and a command is sent once'); END;
CREATE TRIGGER es_steps_update BEFORE UPDATE ON es_steps
BEGIN SELECT RAISE(ABORT, 'a stored step is never changed'); END;
CREATE TRIGGER es_steps_delete BEFORE DELETE ON es_steps
BEGIN SELECT RAISE(ABORT, 'a stored step is never removed'); END;
