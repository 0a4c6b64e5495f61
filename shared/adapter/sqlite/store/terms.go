package store

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/millrace-pipeline/millrace/shared/store"
)

// Terms are the index by attributes: they say which segments can have an event with a
// value. A term is the 32-bit hash of an attribute and a value; that two values share a
// hash only means that a segment is looked at in vain.
//
// Values like subjects are many and come in random order; one B-tree entry per event for
// each costs three times as much as all else that Write does, and more as the store
// grows. So a segment's terms are written as one sorted list (open_terms), and when
// enough segments have come, their lists are merged into a block (terms): sorted
// entries, in rows of about a page that are found by their lowest hash. A look-up reads
// the open lists and one row of each block.

const (
	// A block is made of the open segments once there are sealSegments of them, or they
	// hold sealEvents events: few blocks to search, and few open lists.
	sealSegments = 64
	sealEvents   = 1 << 15
	// chunkEntries is how many entries one row of a block has, or a few more: one page.
	chunkEntries = 480
	entrySize    = 8
)

const (
	// typePrefix is the kind of a term that stands for a type's beginning up to a dot.
	typePrefix = numAttributes
	// maxPrefixes bounds the terms of one type; a longer prefix is looked up by its
	// beginning.
	maxPrefixes = 8
)

func term(kind attribute, value string) uint32 {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a
	h := (offset ^ uint64(kind)) * prime
	for i := range len(value) {
		h = (h ^ uint64(value[i])) * prime
	}
	return uint32(h>>32) ^ uint32(h)
}

// prefixes of a type, up to and with a dot each.
func prefixes(typ string) []string {
	var out []string
	for i := 0; len(out) < maxPrefixes; {
		dot := strings.IndexByte(typ[i:], '.')
		if dot < 0 {
			break
		}
		i += dot + 1
		out = append(out, typ[:i])
	}
	return out
}

// terms of the events in w, sorted.
func (w *columnWriter) terms() []uint32 {
	var out []uint32
	for a := range numAttributes {
		for v := range w.values[a] {
			if v == "" {
				continue
			}
			out = append(out, term(a, v))
			if a == byType {
				for _, p := range prefixes(v) {
					out = append(out, term(typePrefix, p))
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// filterTerms are the terms that every segment with an event of f has.
func filterTerms(f store.Filter) []uint32 {
	var out []uint32
	add := func(a attribute, v string) {
		if v != "" {
			out = append(out, term(a, v))
		}
	}
	add(bySubject, f.Subject)
	add(byUser, f.User)
	add(bySource, f.Source)
	add(byTenant, f.Tenant)
	if prefix, ok := f.TypePrefix(); ok {
		known := prefixes(prefix)
		add(typePrefix, known[len(known)-1]) // it ends in a dot, so there is one
	} else {
		add(byType, f.Type)
	}
	return out
}

const (
	sqlAddOpen    = `INSERT INTO open_terms (segment, hashes) VALUES (?, ?)`
	sqlOpenBounds = `SELECT count(*), min(segment) FROM open_terms`
	sqlOpenTerms  = `SELECT segment, hashes FROM open_terms WHERE segment >= 0`
	sqlClearOpen  = `DELETE FROM open_terms`
	sqlLastTerm   = `SELECT id FROM terms WHERE id >= 0 ORDER BY id DESC LIMIT 1`
	sqlAddTerms   = `INSERT INTO terms (id, base, entries) VALUES (?, ?, ?)`
	sqlTerms      = `SELECT id, base, entries FROM terms WHERE id <= ? ORDER BY id DESC LIMIT 1`
)

// addTerms records the terms of a new segment, and makes a block when it is time.
func addTerms(conn *sqlite.Conn, first int64, terms []uint32, next int64) error {
	raw := make([]byte, 0, 4*len(terms))
	for _, h := range terms {
		raw = binary.LittleEndian.AppendUint32(raw, h)
	}
	if err := exec(conn, sqlAddOpen, first, seal(raw)); err != nil {
		return err
	}
	var n, base int64
	err := query(conn, sqlOpenBounds, func(row *sqlite.Stmt) error {
		n, base = row.ColumnInt64(0), row.ColumnInt64(1)
		return nil
	})
	if err != nil || n < sealSegments && next-base < sealEvents {
		return err
	}
	return sealTerms(conn, base)
}

func sealTerms(conn *sqlite.Conn, base int64) error {
	block, err := countBlocks(conn)
	if err != nil {
		return err
	}
	var entries []uint64
	err = openTerms(conn, func(segment int64, hashes []byte) error {
		for i := 0; i < len(hashes); i += 4 {
			entries = append(entries, uint64(binary.LittleEndian.Uint32(hashes[i:]))<<32|uint64(segment-base))
		}
		return nil
	})
	if err != nil {
		return err
	}
	slices.Sort(entries)
	lowest := uint64(0) // so that every look-up in this block ends in one of its rows
	for first := true; first || len(entries) > 0; first = false {
		n := chunkEnd(entries)
		raw := make([]byte, 0, entrySize*n)
		for _, e := range entries[:n] {
			raw = binary.LittleEndian.AppendUint64(raw, e)
		}
		if err := exec(conn, sqlAddTerms, block<<32|int64(lowest), base, seal(raw)); err != nil {
			return err
		}
		if entries = entries[n:]; len(entries) > 0 {
			lowest = entries[0] >> 32
		}
	}
	return exec(conn, sqlClearOpen)
}

// chunkEnd is how many entries the next row gets: those of one hash stay together.
func chunkEnd(entries []uint64) int {
	if len(entries) <= chunkEntries {
		return len(entries)
	}
	n := chunkEntries
	for n < len(entries) && entries[n]>>32 == entries[n-1]>>32 {
		n++
	}
	return n
}

func countBlocks(conn *sqlite.Conn) (n int64, err error) {
	err = query(conn, sqlLastTerm, func(row *sqlite.Stmt) error {
		n = row.ColumnInt64(0)>>32 + 1
		return nil
	})
	return n, err
}

func openTerms(conn *sqlite.Conn, fn func(segment int64, hashes []byte) error) error {
	return query(conn, sqlOpenTerms, func(row *sqlite.Stmt) error {
		segment := row.ColumnInt64(0)
		hashes, err := unseal(blob(row, 1))
		if err != nil || len(hashes)%4 != 0 {
			return fmt.Errorf("terms of segment %d: %w", segment, cmp.Or(err, errDamaged))
		}
		return fn(segment, hashes)
	})
}

// segmentsWith finds the segments that have all the terms, in the order of their numbers.
func segmentsWith(conn *sqlite.Conn, terms []uint32) ([]int64, error) {
	blocks, err := countBlocks(conn)
	if err != nil {
		return nil, err
	}
	found := make([][]int64, len(terms))
	for i, h := range terms {
		for block := range blocks {
			if found[i], err = searchBlock(conn, block, h, found[i]); err != nil {
				return nil, err
			}
		}
	}
	err = openTerms(conn, func(segment int64, hashes []byte) error {
		for i, h := range terms {
			if containsHash(hashes, h) {
				found[i] = append(found[i], segment)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := found[0]
	for _, f := range found[1:] {
		all = slices.DeleteFunc(all, func(s int64) bool {
			_, ok := slices.BinarySearch(f, s)
			return !ok
		})
	}
	return all, nil
}

func searchBlock(conn *sqlite.Conn, block int64, hash uint32, found []int64) ([]int64, error) {
	err := query(conn, sqlTerms, func(row *sqlite.Stmt) error {
		base := row.ColumnInt64(1)
		entries, err := unseal(blob(row, 2))
		if err != nil || len(entries)%entrySize != 0 || row.ColumnInt64(0)>>32 != block {
			return fmt.Errorf("terms of block %d: %w", block, cmp.Or(err, errDamaged))
		}
		at := func(i int) uint64 { return binary.LittleEndian.Uint64(entries[i*entrySize:]) }
		n := len(entries) / entrySize
		for i := sort.Search(n, func(i int) bool { return uint32(at(i)>>32) >= hash }); i < n && uint32(at(i)>>32) == hash; i++ {
			found = append(found, base+int64(uint32(at(i))))
		}
		return nil
	}, block<<32|int64(hash))
	return found, err
}

func containsHash(hashes []byte, h uint32) bool {
	at := func(i int) uint32 { return binary.LittleEndian.Uint32(hashes[i*4:]) }
	n := len(hashes) / 4
	i := sort.Search(n, func(i int) bool { return at(i) >= h })
	return i < n && at(i) == h
}
