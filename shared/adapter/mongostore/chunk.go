package mongostore

import (
	"encoding/binary"
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// Limits of a chunk. A command is one document and must fit in 16 MiB; so must the two
// that its batch has one after the other (batch.go). More than some thousand events gain
// nothing.
const (
	chunkEvents = 4000
	chunkBytes  = 12 << 20
)

// chunkWriter collects events as one insert command. Built by hand and sent as it is, it
// costs a third of what InsertMany does.
type chunkWriter struct {
	batch   bson.ObjectID
	stored  time.Time
	command []byte // up to the end of the last document
	array   int    // where its array of documents begins
	places  []int  // in the batch, of the event of each document
	keys    arrayWriter
	sums    int             // at most so many bytes has the completed batch
	asks    map[string]bool // the types so far: whether they ask for aggregates

	documents documentWriter
}

func (w *chunkWriter) reset(stored time.Time) {
	w.batch, w.stored = bson.NewObjectID(), stored
	w.places = w.places[:0]
	w.keys.reset()
	w.sums = 0
	if w.asks == nil {
		w.asks = make(map[string]bool)
	}
	clear(w.asks)
	b := append(w.command[:0], 0, 0, 0, 0)
	b = bsoncore.AppendStringElement(b, "insert", collEvents)
	b = bsoncore.AppendBooleanElement(b, "ordered", false)
	b = bsoncore.AppendDocumentElement(b, "writeConcern", majority)
	b = bsoncore.AppendHeader(b, bsoncore.TypeArray, "documents")
	w.array = len(b)
	w.command = append(b, 0, 0, 0, 0)
}

var majority = bsoncore.BuildDocument(nil, bsoncore.AppendStringElement(nil, "w", "majority"))

// add appends the event at a place in the batch. full means that the chunk has no room
// for it; an error, that MongoDB cannot hold it.
func (w *chunkWriter) add(place int, e *event.Event, asks func(string) bool) (full bool, err error) {
	if len(w.places) == chunkEvents || len(w.keys.b) > chunkBytes || w.sums > chunkBytes {
		return true, nil
	}
	before := len(w.command)
	b := append(w.command, byte(bsoncore.TypeEmbeddedDocument))
	b = append(strconv.AppendInt(b, int64(len(w.places)), 10), 0)
	if b, err = w.documents.append(b, e, w.stored, w.batch); err != nil {
		return false, err
	}
	if len(b) > chunkBytes && len(w.places) > 0 {
		w.command = b[:before]
		return true, nil
	}
	w.command = b
	w.places = append(w.places, place)
	w.keys.addKey(e)
	w.sum(e, asks)
	return false, nil
}

// sum notes what an event adds to the completed batch at most: a counterDoc, and an
// aggregateDoc in which a type can be three times as long (fieldName).
func (w *chunkWriter) sum(e *event.Event, asks func(string) bool) {
	const fixed = 256
	typ := e.Type()
	asked, ok := w.asks[typ]
	if !ok {
		asked = asks(typ)
		w.asks[typ] = asked
	}
	w.sums += len(e.Tenant()) + len(typ) + fixed
	if asked {
		w.sums += len(e.ID()) + 2*(len(e.Source())+len(e.Subject())) + 4*len(typ) + fixed
	}
}

// finish returns the command.
func (w *chunkWriter) finish() bson.Raw {
	w.command = append(w.command, 0)
	binary.LittleEndian.PutUint32(w.command[w.array:], uint32(len(w.command)-w.array))
	w.command = append(w.command, 0)
	binary.LittleEndian.PutUint32(w.command, uint32(len(w.command)))
	return w.command
}

// release lets go of the events, and of buffers that an unusually large chunk has made.
func (w *chunkWriter) release() {
	const keep = 8 << 20
	if cap(w.command)+cap(w.keys.b)+cap(w.documents.enc.edits)+cap(w.documents.enc.text) > keep {
		*w = chunkWriter{}
		return
	}
	w.documents.enc.src = nil
	clear(w.asks)
}

func (w *chunkWriter) asksArray() []byte {
	var a arrayWriter
	a.reset()
	for typ, asks := range w.asks {
		if asks {
			a.addString(typ)
		}
	}
	return a.finish()
}

// delta of the documents that were inserted; failed has the indexes of the others, sorted.
func (w *chunkWriter) delta(events []event.Event, failed []int) *delta {
	d := newDelta()
	for i, place := range w.places {
		if _, found := slices.BinarySearch(failed, i); found {
			continue
		}
		e := &events[place]
		d.add(e, store.TimeOf(e, w.stored).UnixMilli(), w.asks[e.Type()])
	}
	return d
}

// arrayWriter builds a BSON array of strings.
type arrayWriter struct {
	b []byte
	n int
}

func (a *arrayWriter) reset() { a.b, a.n = append(a.b[:0], 0, 0, 0, 0), 0 }

func (a *arrayWriter) header() {
	a.b = append(a.b, byte(bsoncore.TypeString))
	a.b = append(strconv.AppendInt(a.b, int64(a.n), 10), 0)
	a.n++
}

func (a *arrayWriter) addKey(e *event.Event) {
	a.header()
	a.b = appendKey(a.b, e)
}

func (a *arrayWriter) addString(s string) {
	a.header()
	a.b = bsoncore.AppendString(a.b, s)
}

// finish returns the array; nothing can be added then.
func (a *arrayWriter) finish() []byte {
	a.b = append(a.b, 0)
	binary.LittleEndian.PutUint32(a.b, uint32(len(a.b)))
	return a.b
}
