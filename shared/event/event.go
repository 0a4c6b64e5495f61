// Package event is CloudEvents 1.0 as the pipeline carries it: an event is its JSON
// form (CloudEvents JSON Event Format 1.0.2), kept byte for byte from the door to the
// store, with views of its attributes.
package event

import (
	"iter"
	"time"
	"unsafe"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

// Limits of what the door accepts. CloudEvents sets no maximum; these keep keys
// indexable and log lines readable.
const (
	MaxIDBytes        = 1024
	MaxSourceBytes    = 2048
	MaxAttributeBytes = 8192
	MaxNameBytes      = 64  // attribute names; CloudEvents recommends at most 20
	MaxDepth          = 512 // nesting of data
)

// Content types of the CloudEvents bindings.
const (
	ContentTypeJSON  = "application/cloudevents+json"
	ContentTypeBatch = "application/cloudevents-batch+json"
)

// ReceivedName is the extension by which ingest stamps when the pipeline received
// the event (RFC 3339, UTC, milliseconds). It is Millrace's own: a value that a
// producer sends is replaced.
const ReceivedName = "receivedtime"

// Key identifies an event: CloudEvents requires source + id to be unique.
type Key struct{ Source, ID string }

// Event is one CloudEvent. It is immutable, and its accessors do not allocate: the
// strings are views of the JSON, which must never be written to again. The zero Event
// is not valid.
type Event struct {
	raw     []byte       // the JSON object, without surrounding white space
	decoded string       // the values of named attributes that raw has with an escape
	named   [nNamed]span // absent: the zero span
	data    span         // the value of data; off is 0 when absent, since raw[0] is '{'
	base64  span         // between the quotes of data_base64; off is 0 when absent
	flags   uint8
}

// span is a part of Event.raw, or of Event.decoded when off has inDecoded.
type span struct{ off, n uint32 }

const (
	inDecoded = 1 << 31
	maxBytes  = 1 << 30 // of what Parse reads: spans reach that far, and Stamp has room
)

const (
	receivedMember = 1 << iota // raw has a member receivedtime, if only null
	base64Escaped              // the span base64 has escapes, as in "\/"
)

// named attributes are those with an accessor of their own.
const (
	nID = iota
	nSource
	nType
	nSubject
	nTime
	nContentType
	nSchema
	nTenant
	nPartition
	nTrace
	nUser
	nPriority
	nReceived
	nNamed
)

// CheckSize returns fault.TooLarge when n bytes are more than limit. Callers apply it
// before Parse, and to the elements of a batch; limit 0 means no limit.
func CheckSize(n, limit int) error {
	if limit > 0 && n > limit {
		return fault.New(fault.TooLarge, "%d bytes, the limit is %d", n, limit)
	}
	return nil
}

// JSON is the event in the JSON format. Read only.
func (e *Event) JSON() []byte { return e.raw }

// Key is what identifies the event.
func (e *Event) Key() Key { return Key{e.Source(), e.ID()} }

// ID is the attribute id.
func (e *Event) ID() string { return e.view(e.named[nID]) }

// Source is the attribute source, a URI reference.
func (e *Event) Source() string { return e.view(e.named[nSource]) }

// Type is the attribute type, by which handlers are chosen.
func (e *Event) Type() string { return e.view(e.named[nType]) }

// Subject is the attribute subject, "" when absent.
func (e *Event) Subject() string { return e.view(e.named[nSubject]) }

// Time is when the event happened, in UTC; zero when the producer did not say. The
// text as it stood is Attr("time").
func (e *Event) Time() time.Time {
	t, _ := parseTime(e.view(e.named[nTime]))
	return t.utc()
}

// ContentType is the attribute datacontenttype, "" when absent (then data is JSON).
func (e *Event) ContentType() string { return e.view(e.named[nContentType]) }

// Schema is the attribute dataschema, "" when absent.
func (e *Event) Schema() string { return e.view(e.named[nSchema]) }

// Tenant is the extension tenantid, "" when absent.
func (e *Event) Tenant() string { return e.view(e.named[nTenant]) }

// PartitionKey is the extension partitionkey, "" when absent.
func (e *Event) PartitionKey() string { return e.view(e.named[nPartition]) }

// TraceParent is the extension traceparent (W3C Trace Context), "" when absent.
func (e *Event) TraceParent() string { return e.view(e.named[nTrace]) }

// User is the extension userid: who did it, for audit; "" when absent.
func (e *Event) User() string { return e.view(e.named[nUser]) }

// Priority is the extension priority, "" when absent.
func (e *Event) Priority() string { return e.view(e.named[nPriority]) }

// Received is when the pipeline received the event; zero before ingest has stamped it.
func (e *Event) Received() time.Time {
	t, _ := parseTime(e.view(e.named[nReceived])) // the zero time when it is none
	return t.utc()
}

// Data is the JSON value of data, byte for byte; nil when the event has none or has
// data_base64 instead. Read only.
func (e *Event) Data() []byte {
	if e.data.off == 0 {
		return nil
	}
	return e.raw[e.data.off : e.data.off+e.data.n : e.data.off+e.data.n]
}

// Bytes is the payload itself (CloudEvents JSON Event Format 1.0.2, section 3.1.2):
// data_base64 decoded; or the JSON text of data; or, where datacontenttype says that
// data is no JSON and it is a string, the text of that string. nil without payload.
// Read only.
func (e *Event) Bytes() []byte { return payload(e) }

// Attr is the value of any attribute by name in its canonical string form (CloudEvents
// 1.0.2, section 3.1 Type System), and whether the event has it. An extension without
// an accessor of its own is looked for in the JSON: not for hot paths.
func (e *Event) Attr(name string) (string, bool) {
	if i := nameIndex([]byte(name)); i < nNamed {
		return e.view(e.named[i]), e.named[i].off != 0
	}
	for n, v := range e.Attrs() {
		if n == name {
			return v, true
		}
	}
	return "", false
}

// Attrs are all attributes of the event, specversion and extensions included, in the
// order of its JSON, with their values in canonical string form. Attributes whose value
// is null are absent.
func (e *Event) Attrs() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for m := range members(e.raw) {
			if m.isData() {
				continue
			}
			if v, ok := canonical(m.value); ok && !yield(m.name, v) {
				return
			}
		}
	}
}

func (e *Event) view(s span) string {
	switch {
	case s.n == 0:
		return ""
	case s.off < inDecoded:
		return unsafe.String(&e.raw[s.off], s.n)
	default:
		return e.decoded[s.off-inDecoded:][:s.n]
	}
}
