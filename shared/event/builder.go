package event

// Builder makes a new event or a changed copy of one. Errors are kept until Build.
type Builder struct {
	// implementation
}

// New starts an event with the required attributes and specversion 1.0.
func New(source, id, typ string) *Builder { panic("todo") }

// Edit starts from e: every attribute that is not set again keeps its value, the order
// of its members and, for data, its bytes.
func (e *Event) Edit() *Builder { panic("todo") }

// Set sets an attribute. value is a string, bool, int32 or int, time.Time, []byte
// (base64) or nil, which removes an optional attribute.
func (b *Builder) Set(name string, value any) *Builder { panic("todo") }

// Data sets data to v as encoding/json writes it (a json.RawMessage is kept byte for
// byte), and datacontenttype to application/json where the event has none.
func (b *Builder) Data(v any) *Builder { panic("todo") }

// Bytes sets data_base64 and datacontenttype.
func (b *Builder) Bytes(contentType string, p []byte) *Builder { panic("todo") }

// Build checks the event as Parse does.
func (b *Builder) Build() (Event, error) { panic("todo") }

// Stamp returns e with the extension receivedtime set: cheap, it copies the JSON once.
func (e *Event) Stamp(receivedMillis int64) Event { panic("todo") }

// Derive returns the id of the n-th further event that a handler makes of e: the same
// whenever the handler is run again on the same event, and in the order of e's ids.
func (e *Event) DeriveID(n int) string { panic("todo") }
