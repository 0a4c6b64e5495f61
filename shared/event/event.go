// Package event is CloudEvents 1.0 as the pipeline carries it: an event is its JSON
// form (CloudEvents JSON Event Format 1.0.2), kept byte for byte from the door to the
// store, with views of its attributes.
package event

import (
	"time"
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
	raw []byte // the JSON object, without surrounding white space

	// Views of raw, or decoded copies where raw has an escape. "" when absent.
	id, source, typ, subject, time           string
	contentType, schema                      string
	tenant, partition, trace, user, priority string
	received                                 string

	data   []byte // the JSON value of "data" as it stands in raw; nil when absent
	base64 string // the value of "data_base64", still encoded
	hasB64 bool
	when   time.Time // parsed time attribute; zero when absent
}

// Parse reads one event in the JSON format and checks every rule of the specification.
// It keeps b and the event's strings are views of it. The error is a *fault.Error of a
// permanent kind whose reason names the rule.
func Parse(b []byte) (Event, error) { return parse(b) }

// JSON is the event in the JSON format. Read only.
func (e *Event) JSON() []byte { return e.raw }

// Key is what identifies the event.
func (e *Event) Key() Key { return Key{e.source, e.id} }

// ID is the attribute id.
func (e *Event) ID() string { return e.id }

// Source is the attribute source, a URI reference.
func (e *Event) Source() string { return e.source }

// Type is the attribute type, by which handlers are chosen.
func (e *Event) Type() string { return e.typ }

// Subject is the attribute subject, "" when absent.
func (e *Event) Subject() string { return e.subject }

// Time is when the event happened, zero when the producer did not say.
func (e *Event) Time() time.Time { return e.when }

// ContentType is the attribute datacontenttype, "" when absent (then data is JSON).
func (e *Event) ContentType() string { return e.contentType }

// Schema is the attribute dataschema, "" when absent.
func (e *Event) Schema() string { return e.schema }

// Tenant is the extension tenantid, "" when absent.
func (e *Event) Tenant() string { return e.tenant }

// PartitionKey is the extension partitionkey, "" when absent.
func (e *Event) PartitionKey() string { return e.partition }

// TraceParent is the extension traceparent (W3C Trace Context), "" when absent.
func (e *Event) TraceParent() string { return e.trace }

// User is the extension userid: who did it, for audit; "" when absent.
func (e *Event) User() string { return e.user }

// Priority is the extension priority, "" when absent.
func (e *Event) Priority() string { return e.priority }

// Received is when the pipeline received the event; zero before ingest has stamped it.
func (e *Event) Received() time.Time { return receivedTime(e.received) }

// Data is the JSON value of data, byte for byte; nil when the event has none or has
// data_base64 instead. Read only.
func (e *Event) Data() []byte { return e.data }

// Bytes is the payload itself: the JSON text of data, or data_base64 decoded.
func (e *Event) Bytes() []byte { return payload(e) }

// Attr is the value of any attribute by name in its canonical string form (CloudEvents
// 1.0.2, section 3.1 Type System), and whether the event has it. It scans the event:
// not for hot paths.
func (e *Event) Attr(name string) (string, bool) { return attr(e, name) }
