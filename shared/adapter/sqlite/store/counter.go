package store

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

type counterKey struct {
	hour        int64 // since 1970
	tenant, typ string
}

func (a counterKey) compare(b counterKey) int {
	return cmp.Or(cmp.Compare(a.hour, b.hour), strings.Compare(a.tenant, b.tenant), strings.Compare(a.typ, b.typ))
}

// counters of a batch of new events.
type counters map[counterKey]int64

const msPerHour = int64(time.Hour / time.Millisecond)

func hourOf(ms int64) int64 {
	h := ms / msPerHour
	if ms%msPerHour < 0 { // before 1970
		h--
	}
	return h
}

func (c counters) add(e *event.Event, ms int64) {
	c[counterKey{hourOf(ms), e.Tenant(), e.Type()}]++
}

func sqlAddCounter(prefix string) string {
	return `INSERT INTO ` + prefix + `counter AS c (hour, tenant, type, count) VALUES (?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET count = c.count + excluded.count`
}

// write adds the counters to the table whose name begins with prefix.
func (c counters) write(conn *sqlite.Conn, prefix string) error {
	sql := sqlAddCounter(prefix)
	for _, k := range slices.SortedFunc(maps.Keys(c), counterKey.compare) {
		if err := exec(conn, sql, k.hour, k.tenant, k.typ, c[k]); err != nil {
			return err
		}
	}
	return nil
}

const (
	sqlCounters       = `SELECT hour, tenant, type, count FROM counter WHERE hour >= ? AND hour < ? ORDER BY hour, tenant, type`
	sqlTenantCounters = `SELECT hour, tenant, type, count FROM counter WHERE hour >= ? AND hour < ? AND tenant = ? ORDER BY hour, tenant, type`
)

// Counters implements store.Analytics.
func (s *Store) Counters(ctx context.Context, tenant string, from, to time.Time) ([]store.Counter, error) {
	lo, hi := int64(math.MinInt64), int64(math.MaxInt64)
	if !from.IsZero() {
		lo = hourOf(from.UnixMilli())
	}
	if !to.IsZero() { // hours that begin before to
		hi = hourOf(to.UnixMilli() + msPerHour - 1)
	}
	sql, args := sqlCounters, []any{lo, hi}
	if tenant != "" {
		sql, args = sqlTenantCounters, append(args, tenant)
	}
	var out []store.Counter
	err := s.db.Read(ctx, func(conn *sqlite.Conn) error {
		return query(conn, sql, func(row *sqlite.Stmt) error {
			out = append(out, store.Counter{
				Hour:   fromMillis(row.ColumnInt64(0) * msPerHour),
				Tenant: row.ColumnText(1),
				Type:   row.ColumnText(2),
				Count:  row.ColumnInt64(3),
			})
			return nil
		}, args...)
	})
	return out, failed(err, "read counters")
}
