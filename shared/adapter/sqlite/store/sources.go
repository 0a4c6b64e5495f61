package store

import (
	"strings"
	"sync"

	"zombiezen.com/go/sqlite"
)

// maxSources bounds the sources kept in memory, for producers with one source per device.
const maxSources = 1 << 16

// sources keeps the numbers of sources that are committed in the file, where they never
// change.
type sources struct {
	mu    sync.RWMutex
	known map[string]int64
}

const (
	sqlSource    = `SELECT id FROM source WHERE name = ?`
	sqlAddSource = `INSERT INTO source (name) VALUES (?)`
)

// batchSources resolves the sources of one batch in a transaction. Those that it adds
// are made known only when the transaction is committed.
type batchSources struct {
	conn  *sqlite.Conn
	all   *sources
	found map[string]int64
}

func (s *sources) in(conn *sqlite.Conn) batchSources {
	return batchSources{conn: conn, all: s, found: make(map[string]int64)}
}

func (b *batchSources) id(name string) (int64, error) {
	if id, ok := b.found[name]; ok {
		return id, nil
	}
	id, ok := b.all.get(name)
	if !ok {
		var err error
		if id, err = b.findOrAdd(name); err != nil {
			return 0, err
		}
	}
	b.found[name] = id
	return id, nil
}

func (b *batchSources) findOrAdd(name string) (int64, error) {
	id, ok, err := findSource(b.conn, name)
	if err != nil || ok {
		return id, err
	}
	if err := exec(b.conn, sqlAddSource, name); err != nil {
		return 0, err
	}
	return b.conn.LastInsertRowID(), nil
}

func findSource(conn *sqlite.Conn, name string) (id int64, ok bool, err error) {
	err = query(conn, sqlSource, func(row *sqlite.Stmt) error {
		id, ok = row.ColumnInt64(0), true
		return nil
	}, name)
	return id, ok, err
}

func (s *sources) get(name string) (int64, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	id, ok := s.known[name]
	return id, ok
}

// learn makes the sources of a committed batch known.
func (s *sources) learn(found map[string]int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil || len(s.known)+len(found) > maxSources {
		s.known = make(map[string]int64, len(found))
	}
	for name, id := range found {
		// A copy: name is a view of the event that it came with.
		if _, ok := s.known[name]; !ok {
			s.known[strings.Clone(name)] = id
		}
	}
}
