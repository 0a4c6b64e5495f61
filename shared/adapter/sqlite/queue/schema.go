package queue

// applicationID marks the file: "MRQ" and a version of the kind of file.
const applicationID = 'M'<<24 | 'R'<<16 | 'Q'<<8 | 1

// migrations of the file. Times are microseconds since 1970 UTC, durations microseconds.
func migrations() []string { return []string{version1} }

const version1 = `
CREATE TABLE queue (
	id           INTEGER PRIMARY KEY,
	name         TEXT    NOT NULL UNIQUE,
	visibility   INTEGER NOT NULL,
	delay        INTEGER NOT NULL,
	retention    INTEGER NOT NULL,
	dlq          INTEGER REFERENCES queue (id), -- NULL: none
	max_receives INTEGER NOT NULL               -- 0: no limit
);

-- The changing part of a message. AUTOINCREMENT: a receipt of a deleted message must not
-- fit a later one.
CREATE TABLE message (
	seq           INTEGER PRIMARY KEY AUTOINCREMENT,
	queue         INTEGER NOT NULL,           -- the queue it is in now
	origin        INTEGER NOT NULL DEFAULT 0, -- the queue that redrove it into this one; 0: it was sent here
	id            BLOB    NOT NULL,           -- 16 bytes, a UUID
	sent          INTEGER NOT NULL,           -- retention counts from here
	visible       INTEGER NOT NULL,           -- hidden until then: delayed or in flight
	receives      INTEGER NOT NULL DEFAULT 0, -- ever, in all queues
	base          INTEGER NOT NULL DEFAULT 0, -- receives when it came into this queue
	first_receive INTEGER NOT NULL DEFAULT 0  -- in this queue; 0: not received yet
);
CREATE INDEX message_visible ON message (queue, visible);
CREATE INDEX message_sent ON message (queue, sent);

CREATE TABLE content (
	seq        INTEGER PRIMARY KEY, -- of the message
	attributes TEXT,                -- a JSON object; NULL: none
	body       BLOB NOT NULL        -- last: see insertContent
);

CREATE TABLE move (
	id      TEXT    PRIMARY KEY,
	source  INTEGER NOT NULL,
	dest    INTEGER NOT NULL,           -- 0: each message to its origin
	status  TEXT    NOT NULL,
	started INTEGER NOT NULL,
	alive   INTEGER NOT NULL,           -- when the process that runs it last said so
	moved   INTEGER NOT NULL DEFAULT 0,
	to_move INTEGER NOT NULL,
	failure TEXT    NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX move_running ON move (source) WHERE status = 'RUNNING';
CREATE INDEX move_source ON move (source, started);
`
