package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/store"
)

type counterKey struct {
	hour        int64 // since 1970
	tenant, typ string
}

func (a counterKey) compare(b counterKey) int {
	return cmp.Or(cmp.Compare(a.hour, b.hour), strings.Compare(a.tenant, b.tenant), strings.Compare(a.typ, b.typ))
}

// counters of some segments.
type counters map[counterKey]int64

const msPerHour = int64(time.Hour / time.Millisecond)

func hourOf(ms int64) int64 {
	h := ms / msPerHour
	if ms%msPerHour < 0 { // before 1970
		h--
	}
	return h
}

// addColumns adds the events of a segment.
func (c counters) addColumns(cols *columns) error {
	times, err := cols.times()
	if err != nil {
		return err
	}
	tenants, err := cols.column(byTenant)
	if err != nil {
		return err
	}
	types, err := cols.column(byType)
	if err != nil {
		return err
	}
	type codes struct {
		hour        int64
		tenant, typ uint32
	}
	sum := make(map[codes]int64)
	for i, ms := range times {
		sum[codes{hourOf(ms), tenants.codes[i], types.codes[i]}]++
	}
	for k, n := range sum {
		c[counterKey{k.hour, tenants.values[k.tenant], types.values[k.typ]}] += n
	}
	return nil
}

// sqlAddCounter needs the name of the table, which differs in a rebuild.
const sqlAddCounter = `INSERT INTO %s AS c (hour, tenant, type, count) VALUES (?, ?, ?, ?)
	ON CONFLICT DO UPDATE SET count = c.count + excluded.count`

// write adds the counters to what a table has.
func (c counters) write(conn *sqlite.Conn, table string) error {
	sql := fmt.Sprintf(sqlAddCounter, table)
	for _, k := range slices.SortedFunc(maps.Keys(c), counterKey.compare) {
		if err := exec(conn, sql, k.hour, k.tenant, k.typ, c[k]); err != nil {
			return err
		}
	}
	return nil
}

const (
	sqlCounters       = `SELECT hour, tenant, type, count FROM counter WHERE hour >= ? AND hour < ?`
	sqlTenantCounters = `SELECT hour, tenant, type, count FROM counter WHERE hour >= ? AND hour < ? AND tenant = ?`
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
	var sum counters
	err := s.db.Read(ctx, func(conn *sqlite.Conn) (err error) {
		if sum, err = openCounters(conn); err != nil {
			return err
		}
		maps.DeleteFunc(sum, func(k counterKey, _ int64) bool {
			return k.hour < lo || k.hour >= hi || tenant != "" && k.tenant != tenant
		})
		return query(conn, sql, func(row *sqlite.Stmt) error {
			sum[counterKey{row.ColumnInt64(0), row.ColumnText(1), row.ColumnText(2)}] += row.ColumnInt64(3)
			return nil
		}, args...)
	})
	if err != nil {
		return nil, failed(err, "read counters")
	}
	var out []store.Counter
	for _, k := range slices.SortedFunc(maps.Keys(sum), counterKey.compare) {
		out = append(out, store.Counter{Hour: fromMillis(k.hour * msPerHour), Tenant: k.tenant, Type: k.typ, Count: sum[k]})
	}
	return out, nil
}
