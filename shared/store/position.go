package store

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"hash/fnv"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// TimeOf is the time by which an event is listed, filtered, counted and aggregated:
// when it happened, else when the pipeline received it, else when it was stored. The
// store keeps milliseconds (as MongoDB does), UTC.
func TimeOf(e *event.Event, stored time.Time) time.Time {
	t := e.Time()
	if t.IsZero() {
		t = e.Received()
	}
	if t.IsZero() {
		t = stored
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

// Position is the place of an event in a listing. Time and key order all events
// totally, and neither changes when an event goes from leased to stored.
type Position struct {
	Time time.Time // TimeOf the event
	Key  event.Key
}

// Compare is negative when p is listed before q: newest first; events of the same
// millisecond with the greater source, then the greater id first.
func (p Position) Compare(q Position) int {
	return cmp.Or(
		cmp.Compare(q.Time.UnixMilli(), p.Time.UnixMilli()),
		strings.Compare(q.Key.Source, p.Key.Source),
		strings.Compare(q.Key.ID, p.Key.ID),
	)
}

const cursorVersion = 1

// cursorHeader is the version, a checksum of what follows it, and the filter's hash.
const cursorHeader = 1 + 4 + 8

// Cursor makes the opaque page cursor of a listing by f that continues after p.
func (f Filter) Cursor(p Position) string {
	b := make([]byte, cursorHeader, cursorHeader+16+len(p.Key.Source)+len(p.Key.ID))
	b[0] = cursorVersion
	binary.BigEndian.PutUint64(b[5:], f.hash())
	b = binary.AppendVarint(b, p.Time.UnixMilli())
	b = binary.AppendUvarint(b, uint64(len(p.Key.Source)))
	b = append(b, p.Key.Source...)
	b = append(b, p.Key.ID...)
	binary.BigEndian.PutUint32(b[1:], crc32.ChecksumIEEE(b[5:]))
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseCursor reads what Cursor made; ErrBadCursor if it is damaged or of another filter.
func (f Filter) ParseCursor(s string) (Position, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(b) < cursorHeader || b[0] != cursorVersion ||
		binary.BigEndian.Uint32(b[1:]) != crc32.ChecksumIEEE(b[5:]) ||
		binary.BigEndian.Uint64(b[5:]) != f.hash() {
		return Position{}, ErrBadCursor
	}
	b = b[cursorHeader:]
	ms, n := binary.Varint(b)
	if n <= 0 {
		return Position{}, ErrBadCursor
	}
	b = b[n:]
	source, n := binary.Uvarint(b)
	if n <= 0 || source > uint64(len(b)-n) {
		return Position{}, ErrBadCursor
	}
	b = b[n:]
	return Position{
		Time: time.UnixMilli(ms).UTC(),
		Key:  event.Key{Source: string(b[:source]), ID: string(b[source:])},
	}, nil
}

// hash tells filters apart, so that a cursor is not used with another filter.
func (f Filter) hash() uint64 {
	h := fnv.New64a()
	for _, s := range []string{f.Tenant, f.Subject, f.User, f.Type, f.Source, string(f.Status), bound(f.From), bound(f.To)} {
		_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(s)))) // hash.Hash never returns an error
		_, _ = h.Write([]byte(s))
	}
	return h.Sum64()
}

func bound(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return string(binary.AppendVarint(nil, t.UnixMilli()))
}

// TypePrefix is what a type must begin with when Type is a prefix ("com.github.*"
// gives "com.github."); ok is false when Type is exact or empty.
func (f Filter) TypePrefix() (prefix string, ok bool) {
	if strings.HasSuffix(f.Type, ".*") {
		return f.Type[:len(f.Type)-1], true
	}
	return "", false
}
