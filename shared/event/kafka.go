package event

// Header is one Kafka record header.
type Header struct {
	Name  string
	Value []byte
}

// FromKafka reads a record by the CloudEvents Kafka protocol binding 1.0.2: structured
// mode when the content-type header begins with application/cloudevents, binary mode
// when there are ce_ headers. A record with neither is read as structured mode when its
// value is a JSON object, so that plain console producers work.
func FromKafka(value []byte, headers []Header) (Event, error) { panic("todo") }

// ToKafka writes the event in structured mode: the record key is the extension
// partitionkey (nil when absent).
func (e *Event) ToKafka() (key, value []byte, headers []Header) { panic("todo") }
