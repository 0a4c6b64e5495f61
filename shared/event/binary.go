package event

import (
	"bytes"
	"strings"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

// Binary content mode, common to the Kafka and HTTP bindings: attributes in headers,
// data as the body.

// binaryEvent collects the attributes of an event in binary mode as JSON, which Parse
// then checks.
type binaryEvent struct {
	out         []byte // without the closing brace
	contentType string
	err         *fault.Error
}

func newBinary(size int) binaryEvent {
	return binaryEvent{out: append(make([]byte, 0, size+len(`{"datacontenttype":"","data_base64":""}`)), '{')}
}

// attribute adds one. name is what stands behind the prefix of its header.
func (m *binaryEvent) attribute(name, value string) {
	switch {
	case name == "data", !isName(name): // data_base64 is no name
		if m.err == nil {
			m.err = fault.New(fault.BadAttribute, "name %.64q: only a-z and 0-9 are allowed, and not data", name)
		}
		return
	case name == "datacontenttype":
		m.contentType = value
	}
	m.out = append(append(append(m.out, '"'), name...), `":`...)
	m.out = append(quote(m.out, value), ',')
}

// event completes the event with its data: nil for none, and nothing where JSON is
// expected is none, too. Data of a JSON type is embedded byte for byte; other data
// becomes data_base64, and so does data of no stated type that is not JSON.
func (m *binaryEvent) event(data []byte) (Event, error) {
	json := isJSON(m.contentType)
	switch {
	case m.err != nil:
		return Event{}, m.err
	case data == nil, json && len(data) == 0:
		return Parse(append(bytes.TrimSuffix(m.out, []byte{','}), '}'))
	case !json:
		return m.base64(data)
	}
	e, err := Parse(append(append(append(m.out, `"data":`...), data...), '}'))
	// Text like 1,"id":2 would be data and then a further member: data must be all of it.
	if err == nil && space(e.raw, int(e.data.off+e.data.n)) == len(e.raw)-1 {
		return e, nil
	}
	switch reason := checkJSON(data); {
	case reason == "":
		return Event{}, err
	case m.contentType == "" && reason != fault.TooDeep:
		return m.base64(data)
	case reason == fault.NotJSON:
		return Event{}, fault.New(fault.InvalidData, "data is not JSON, but its type is %.60q", m.contentType)
	default:
		return Event{}, fault.New(reason, "in data")
	}
}

func (m *binaryEvent) base64(data []byte) (Event, error) {
	return Parse(append(append(append(m.out, `"data_base64":`...), quoteBase64(data)...), '}'))
}

// isJSON reports whether a content type declares JSON (JSON Event Format 1.0.2, section
// 3.1.1): */json or */*+json, whatever its parameters; and none does, too.
func isJSON(contentType string) bool {
	if contentType == "" {
		return true
	}
	media := mediaType(contentType)
	slash := strings.IndexByte(media, '/')
	if slash < 0 {
		return false
	}
	sub := media[slash+1:]
	return strings.EqualFold(sub, "json") || len(sub) > 5 && strings.EqualFold(sub[len(sub)-5:], "+json")
}

// mediaType is a content type without its parameters.
func mediaType(contentType string) string {
	media, _, _ := strings.Cut(contentType, ";")
	return strings.TrimSpace(media)
}

func hasFoldPrefix(s, prefix string) bool {
	return strings.HasPrefix(s, prefix) || len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
