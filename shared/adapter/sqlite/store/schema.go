package store

// applicationID marks the file as an event store: "MRev".
const applicationID = 0x4d526576

// migrations of the schema, oldest first. A released one never changes. Times are Unix
// milliseconds. A BLOB is a frame (frame.go) except result and latest_data.
var migrations = []string{`
CREATE TABLE source (
	id   INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
);

-- Which events are stored, and where: the event with a number is in the last segment
-- whose first number is not greater. The id comes first in the key so that ids that
-- grow with time let the table grow at its end, whatever their source.
CREATE TABLE event (
	id     TEXT    NOT NULL,
	source INTEGER NOT NULL,
	number INTEGER NOT NULL,
	PRIMARY KEY (id, source)
) WITHOUT ROWID;

CREATE TABLE segment (
	first      INTEGER PRIMARY KEY, -- number of its first event
	count      INTEGER NOT NULL,
	min_time   INTEGER NOT NULL,    -- of its events
	max_time   INTEGER NOT NULL,
	stored     INTEGER NOT NULL,
	attributes BLOB    NOT NULL,    -- what events are filtered by, in columns (columns.go)
	ids        BLOB    NOT NULL,
	events     BLOB    NOT NULL     -- their JSON, one after the other
);
CREATE INDEX segment_time ON segment (max_time, min_time, count);

-- Segments whose terms and counters are not yet in the tables below (seal.go).
CREATE TABLE open_segment (
	first INTEGER PRIMARY KEY,
	terms BLOB NOT NULL
);

-- Which segments have events with an attribute's value (terms.go).
CREATE TABLE terms (
	id      INTEGER PRIMARY KEY, -- block << 32 | lowest hash
	base    INTEGER NOT NULL,    -- the block's first segment
	entries BLOB    NOT NULL
);

-- Of the segments that are not open.
CREATE TABLE counter (
	hour   INTEGER NOT NULL, -- since 1970
	tenant TEXT    NOT NULL,
	type   TEXT    NOT NULL,
	count  INTEGER NOT NULL,
	PRIMARY KEY (hour, tenant, type)
) WITHOUT ROWID;

-- Effects of handlers (delivery rule 9). A row stays for ever: its token must never come
-- again. What a listing needs is kept until the event is stored.
CREATE TABLE lease (
	id      TEXT    NOT NULL,
	source  TEXT    NOT NULL,
	status  TEXT    NOT NULL,
	owner   TEXT    NOT NULL,
	until   INTEGER NOT NULL,
	token   INTEGER NOT NULL,
	attempt INTEGER NOT NULL,
	error   TEXT    NOT NULL,
	result  BLOB,
	stored  INTEGER NOT NULL, -- 1: the event is in a segment
	event   BLOB,             -- as it came to the stage; NULL when stored
	time    INTEGER NOT NULL,
	tenant  TEXT    NOT NULL,
	type    TEXT    NOT NULL,
	subject TEXT    NOT NULL,
	user    TEXT    NOT NULL,
	PRIMARY KEY (id, source)
);
CREATE INDEX lease_time    ON lease (time, source, id) WHERE stored = 0;
CREATE INDEX lease_source  ON lease (source, time)     WHERE stored = 0;
CREATE INDEX lease_tenant  ON lease (tenant, time)     WHERE stored = 0;
CREATE INDEX lease_type    ON lease (type, time)       WHERE stored = 0;
CREATE INDEX lease_subject ON lease (subject, time)    WHERE stored = 0;
CREATE INDEX lease_user    ON lease (user, time)       WHERE stored = 0;
CREATE INDEX lease_status  ON lease (status, time)     WHERE stored = 0;
CREATE INDEX lease_until   ON lease (until)            WHERE stored = 0 AND status = 'PROCESSING';

CREATE TABLE aggregate (
	id          INTEGER PRIMARY KEY,
	source      INTEGER NOT NULL,
	subject     TEXT    NOT NULL,
	version     INTEGER NOT NULL,
	first_time  INTEGER NOT NULL,
	last_time   INTEGER NOT NULL,
	types       TEXT    NOT NULL, -- JSON object: count by type
	latest_id   TEXT    NOT NULL,
	latest_type TEXT    NOT NULL,
	latest_data BLOB,
	UNIQUE (subject, source)
);

-- Written by Check.
CREATE TABLE heartbeat (
	id INTEGER PRIMARY KEY CHECK (id = 1),
	at INTEGER NOT NULL
);
`}
