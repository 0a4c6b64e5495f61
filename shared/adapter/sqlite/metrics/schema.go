package metrics

import (
	"context"
	"time"

	"github.com/millrace-pipeline/millrace/shared/adapter/sqlite/internal/db"
)

// applicationID marks the file: "MRmt".
const applicationID = 0x4d526d74

var migrations = []string{`
CREATE TABLE series (
	id     INTEGER PRIMARY KEY,
	metric TEXT NOT NULL,
	stage  TEXT NOT NULL,
	UNIQUE (metric, stage)
) STRICT;
CREATE TABLE points (
	series    INTEGER NOT NULL REFERENCES series,
	period    INTEGER NOT NULL, -- seconds that the point covers; 0: all time
	start     INTEGER NOT NULL, -- Unix seconds; 0 for all time
	count     INTEGER NOT NULL,
	sum       REAL NOT NULL,
	min       REAL NOT NULL,
	max       REAL NOT NULL,
	histogram BLOB, -- of package metric; of distributions
	PRIMARY KEY (series, period, start)
) STRICT, WITHOUT ROWID;
CREATE INDEX points_by_age ON points (period, start);
`}

// Periods of points in seconds.
const (
	allTime = 0
	second  = 1
	minute  = 60
)

// How long points of a period are kept.
const (
	keptAsSecond = time.Hour
	keptAsMinute = 15 * 24 * time.Hour
)

func open(ctx context.Context, path string, mustExist bool) (*db.DB, error) {
	return db.Open(ctx, path, db.Options{
		Migrations: migrations, ApplicationID: applicationID, MustExist: mustExist,
		Sync:       db.SyncNormal, // loss of power may cost the last seconds of numbers
		CacheBytes: 4 << 20,
	})
}
