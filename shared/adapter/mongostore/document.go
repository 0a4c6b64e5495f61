package mongostore

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// Fields of an event's document that are the store's. CloudEvents names have no
// underscore.
const (
	fieldID     = "_id"     // keyOf the event
	fieldTime   = "_t"      // store.TimeOf the event
	fieldStored = "_stored" // when it was written
	fieldBatch  = "_b"      // the batch that wrote it (batch.go)
	fieldEdits  = "_edits"  // only where needed (edits.go)
)

// keySeparator is in no id or source: CloudEvents allows no control characters.
const keySeparator = "\n"

// keyOf is an event's _id: the id first, so that the index grows at one end when
// producers' ids grow with time, and so that a range finds an id alone.
func keyOf(k event.Key) string { return k.ID + keySeparator + k.Source }

func parseKey(s string) event.Key {
	id, source, _ := strings.Cut(s, keySeparator)
	return event.Key{Source: source, ID: id}
}

// documentWriter appends events as documents. It can be used again.
type documentWriter struct{ enc encoder }

// append appends the document of an event: its own fields in their order, between the
// store's. An event that MongoDB cannot hold is fault.StoreRejected.
func (w *documentWriter) append(dst []byte, e *event.Event, stored time.Time, batch bson.ObjectID) ([]byte, error) {
	start := len(dst)
	if len(e.JSON()) == 0 {
		return dst, fault.New(fault.StoreRejected, "the event is empty")
	}
	for _, withData := range []bool{true, false} {
		dst = append(dst[:start], 0, 0, 0, 0)
		dst = appendKey(bsoncore.AppendHeader(dst, bsoncore.TypeString, fieldID), e)
		dst = bsoncore.AppendDateTimeElement(dst, fieldTime, store.TimeOf(e, stored).UnixMilli())
		dst = bsoncore.AppendDateTimeElement(dst, fieldStored, stored.UnixMilli())
		dst = bsoncore.AppendObjectIDElement(dst, fieldBatch, batch)
		w.enc.src, w.enc.dst, w.enc.end = e.JSON(), dst, start+maxDocument
		w.enc.event(withData)
		dst = w.enc.dst
		if len(w.enc.edits) > 0 {
			w.enc.edits = appendChecksum(w.enc.edits, e.JSON())
			dst = bsoncore.AppendBinaryElement(dst, fieldEdits, binaryGeneric, w.enc.edits)
		}
		dst = append(dst, 0)
		size := len(dst) - start
		if size <= maxDocument {
			binary.LittleEndian.PutUint32(dst[start:], uint32(size))
			return dst, nil
		}
	}
	err := fault.New(fault.StoreRejected, "its document would have %d bytes, MongoDB takes %d", len(dst)-start, maxDocument)
	return dst[:start], err
}

// appendKey appends keyOf an event as a BSON string.
func appendKey(dst []byte, e *event.Event) []byte {
	id, source := e.ID(), e.Source()
	dst = bsoncore.AppendInt32(dst, int32(len(id)+len(keySeparator)+len(source)+1))
	dst = append(append(append(dst, id...), keySeparator...), source...)
	return append(dst, 0)
}

// document is an event as it was read.
type document struct {
	event  event.Event
	time   time.Time
	stored time.Time
}

// parseDocument reads what documentWriter wrote.
func parseDocument(doc bson.Raw) (document, error) {
	if err := doc.Validate(); err != nil {
		return document{}, fmt.Errorf("document %v: %w", doc.Lookup(fieldID), err)
	}
	json := appendJSON(make([]byte, 0, len(doc)), doc[4:len(doc)-1])
	if _, edits, ok := doc.Lookup(fieldEdits).BinaryOK(); ok {
		json = restore(json, edits)
	}
	e, err := event.Parse(json)
	if err != nil {
		return document{}, fmt.Errorf("document %v, changed by another client, is no event: %w", doc.Lookup(fieldID), err)
	}
	return document{event: e, time: timeField(doc, fieldTime), stored: timeField(doc, fieldStored)}, nil
}

func (d *document) position() store.Position {
	return store.Position{Time: d.time, Key: d.event.Key()}
}

func (d *document) record() store.Record {
	return store.Record{Event: d.event, Status: store.Completed, Received: d.event.Received(), Stored: d.stored}
}

// timeField is a Date, zero when it is none.
func timeField(doc bson.Raw, name string) time.Time {
	ms, ok := doc.Lookup(name).DateTimeOK()
	if !ok {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
