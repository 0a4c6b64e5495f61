package store

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"zombiezen.com/go/sqlite"
)

// A new segment is open: what it adds to the index of terms and to the counters is only
// in itself. When enough segments are open they are sealed together, which makes one
// block of terms and one round of counter updates of them all. Readers go through the
// sealed tables and the few open segments; everything changes in the transaction that
// writes the segments, so both are exact at any moment.

const (
	sqlAddOpen    = `INSERT INTO open_segment (first, terms) VALUES (?, ?)`
	sqlOpenBounds = `SELECT count(*), min(first) FROM open_segment`
	sqlOpenTerms  = `SELECT first, terms FROM open_segment ORDER BY first`
	sqlOpenFirsts = `SELECT first FROM open_segment`
	sqlClearOpen  = `DELETE FROM open_segment`
)

// addOpen records a new segment as open and seals the open ones when it is time. next is
// the number of the event after it.
func addOpen(conn *sqlite.Conn, l *layout, first int64, terms []byte, next int64) error {
	if err := exec(conn, sqlAddOpen, first, terms); err != nil {
		return err
	}
	var n, base int64
	err := query(conn, sqlOpenBounds, func(row *sqlite.Stmt) error {
		n, base = row.ColumnInt64(0), row.ColumnInt64(1)
		return nil
	})
	if err != nil || n < l.sealSegments && next-base < l.sealEvents {
		return err
	}
	if err := sealTerms(conn, l, base); err != nil {
		return err
	}
	sum, err := openCounters(conn)
	if err != nil {
		return err
	}
	if err := sum.write(conn, "counter"); err != nil {
		return err
	}
	return exec(conn, sqlClearOpen)
}

// sealTerms merges the open segments' terms into a new block.
func sealTerms(conn *sqlite.Conn, l *layout, base int64) error {
	block, err := countBlocks(conn)
	if err != nil {
		return err
	}
	var entries []uint64
	err = openTerms(conn, func(first int64, terms []byte) error {
		for i := 0; i < len(terms); i += termSize {
			entries = append(entries, uint64(binary.LittleEndian.Uint32(terms[i:]))<<32|uint64(first-base))
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(entries)
	return writeBlock(conn, l, block, base, entries)
}

func openTerms(conn *sqlite.Conn, fn func(first int64, terms []byte) error) error {
	return query(conn, sqlOpenTerms, func(row *sqlite.Stmt) error {
		first := row.ColumnInt64(0)
		terms, err := unseal(blob(row, 1))
		if err != nil || len(terms)%termSize != 0 {
			return fmt.Errorf("terms of segment %d: %w", first, cmp.Or(err, errDamaged))
		}
		return fn(first, terms)
	})
}

// openCounters are the counters of the open segments.
func openCounters(conn *sqlite.Conn) (counters, error) {
	sum := make(counters)
	err := query(conn, sqlOpenFirsts, func(row *sqlite.Stmt) error {
		first := row.ColumnInt64(0)
		cols, err := loadColumns(conn, first)
		if err != nil {
			return err
		}
		if err := sum.addColumns(cols); err != nil {
			return damagedSegment(first, err)
		}
		return nil
	})
	return sum, err
}

// sealedBefore is the number that the sealed segments come before.
func sealedBefore(conn *sqlite.Conn) (base int64, err error) {
	err = query(conn, sqlOpenBounds, func(row *sqlite.Stmt) error {
		if base = row.ColumnInt64(1); row.ColumnInt64(0) == 0 {
			base = math.MaxInt64
		}
		return nil
	})
	return base, err
}
