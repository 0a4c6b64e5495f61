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
// each costs more than all else that Write does, and more still as the store grows. So a
// segment's terms are written as one sorted list, and many lists are merged into a block
// at once (seal.go): sorted entries, in rows of about a page that are found by their
// lowest hash. A look-up reads the open lists and one row of each block.

const (
	termSize  = 4 // bytes of a hash in an open segment's list
	entrySize = 8 // of a hash and a segment, counted from the block's first, in a block
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

// appendTerms appends the terms of the events in w, sorted.
func (w *columnWriter) appendTerms(out []uint32) []uint32 {
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
	sqlLastTerm = `SELECT max(id) FROM terms`
	sqlAddTerms = `INSERT INTO terms (id, base, entries) VALUES (?, ?, ?)`
	sqlTerms    = `SELECT id, base, entries FROM terms WHERE id <= ? ORDER BY id DESC LIMIT 1`
)

// writeBlock writes sorted entries, hash << 32 | segment - base, as a block.
func writeBlock(conn *sqlite.Conn, l *layout, block, base int64, entries []uint64) error {
	lowest := uint64(0) // so that every look-up in this block ends in one of its rows
	for first := true; first || len(entries) > 0; first = false {
		n := chunkEnd(entries, l.chunkEntries)
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
	return nil
}

// chunkEnd is how many entries the next row gets: those of one hash stay together.
func chunkEnd(entries []uint64, most int) int {
	if len(entries) <= most {
		return len(entries)
	}
	n := most
	for n < len(entries) && entries[n]>>32 == entries[n-1]>>32 {
		n++
	}
	return n
}

func countBlocks(conn *sqlite.Conn) (n int64, err error) {
	err = query(conn, sqlLastTerm, func(row *sqlite.Stmt) error {
		if !row.ColumnIsNull(0) {
			n = row.ColumnInt64(0)>>32 + 1
		}
		return nil
	})
	return n, err
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
	err = openTerms(conn, func(first int64, list []byte) error {
		for i, h := range terms {
			if containsTerm(list, h) {
				found[i] = append(found[i], first)
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

func containsTerm(list []byte, h uint32) bool {
	at := func(i int) uint32 { return binary.LittleEndian.Uint32(list[i*termSize:]) }
	n := len(list) / termSize
	i := sort.Search(n, func(i int) bool { return at(i) >= h })
	return i < n && at(i) == h
}
