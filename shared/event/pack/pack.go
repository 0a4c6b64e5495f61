// Package pack carries many events in one message: a CloudEvents JSON batch,
// compressed and base64-encoded, of about TargetBytes. SNS and SQS bill per 64 KiB,
// so packs are what makes 100,000 events/s affordable (DESIGN.md, Packs).
package pack

// TargetBytes is the most a pack's body has, unless one event alone is larger.
const TargetBytes = 60 << 10

// MaxRawBytes is the most a pack's batch has before compression, unless one event alone
// is larger. It bounds what a receiver has to allocate however well the events compress.
const MaxRawBytes = 4 << 20

// Encodings of a body, as the message attribute "encoding" says them. No attribute: Plain.
const (
	Plain  = ""
	Base64 = "base64"      // bytes that are no SQS text, uncompressed
	S2     = "s2+base64"   // one machine: cheap to make
	Zstd   = "zstd+base64" // AWS: smaller, fewer billed units
)

// Pack is one message body made of consecutive events.
type Pack struct {
	Body        []byte // read only: a single plain event is its own JSON, not a copy
	ContentType string // event.ContentTypeJSON for one plain event, else event.ContentTypeBatch
	Encoding    string
	First, End  int // the events [First, End) of the call to Encode
}

// Options of Encode.
type Options struct {
	Encoding string // S2 or Zstd: used wherever it makes the body smaller than plain; else Plain
	Target   int    // 0: TargetBytes
}
