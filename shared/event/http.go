package event

// FromHTTP reads a request by the CloudEvents HTTP protocol binding 1.0.2: binary mode
// (ce- headers, percent-encoded), structured mode, or batched mode. headers are by
// lower-case name.
// For a batch, items has one entry per element..
func FromHTTP(headers map[string]string, body []byte) (items []Item, err error) { panic("todo") }

// Item is one element of a batch: an event, or why it is none.
type Item struct {
	Event Event
	Raw   []byte // the element's bytes as they stood
	Err   error  // a *fault.Error; nil when Event is valid
}

// ParseBatch reads a JSON batch (CloudEvents JSON Event Format 1.0.2, section 4). Each
// element is checked by itself; err means that the body is no JSON array.
func ParseBatch(b []byte) (items []Item, err error) { panic("todo") }
