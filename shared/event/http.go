package event

import (
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

const httpPrefix = "ce-"

// FromHTTP reads a request by the CloudEvents HTTP protocol binding 1.0.2: binary mode
// (ce- headers, percent-encoded), structured mode, or batched mode. headers are by
// lower-case name.
// For a batch, items has one entry per element, as ParseBatch has; else it has the one
// event, and err says why the request holds none.
func FromHTTP(headers map[string]string, body []byte) (items []Item, err error) {
	contentType := headers[contentTypeHeader]
	var e Event
	switch {
	case hasFoldPrefix(contentType, cloudEvents):
		media := mediaType(contentType)
		if strings.EqualFold(media, ContentTypeBatch) {
			return ParseBatch(body)
		}
		if !isEventJSON(contentType) {
			return nil, fault.New(fault.UnsupportedContent, "%.60q", contentType)
		}
		e, err = Parse(body)
	case hasAttributes(headers):
		e, err = httpBinary(headers, body, contentType)
	default:
		return nil, fault.New(fault.UnsupportedContent, "%.60q without ce- headers", contentType)
	}
	if err != nil {
		return nil, err
	}
	return []Item{{Event: e, Raw: e.JSON()}}, nil
}

func hasAttributes(headers map[string]string) bool {
	for name := range headers {
		if strings.HasPrefix(name, httpPrefix) {
			return true
		}
	}
	return false
}

func httpBinary(headers map[string]string, body []byte, contentType string) (Event, error) {
	size := len(body)
	for name, v := range headers {
		size += len(name) + len(v)
	}
	m := newBinary(size)
	if contentType != "" {
		m.attribute("datacontenttype", contentType)
	}
	for _, name := range slices.Sorted(maps.Keys(headers)) { // the same event for the same request
		if !strings.HasPrefix(name, httpPrefix) {
			continue
		}
		value, ok := decodeHeader(headers[name])
		if !ok {
			return Event{}, fault.New(fault.InvalidUTF8, "header %.64q is not percent-encoded UTF-8", name)
		}
		m.attribute(name[len(httpPrefix):], value)
	}
	if len(body) == 0 {
		body = nil // HTTP cannot tell no data from data of no bytes
	}
	return m.event(body)
}

// decodeHeader undoes, in this order, quoting (RFC 7230, section 3.2.6) and percent
// encoding (HTTP binding 1.0.2, section 3.1.3.2). A percent sign that begins no escape
// stands for itself.
func decodeHeader(s string) (value string, ok bool) {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = unquoteHeader(s[1 : len(s)-1])
	}
	if strings.IndexByte(s, '%') < 0 {
		return s, true
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if hi, lo := hexDigit(s[i+1]), hexDigit(s[i+2]); hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out), utf8.Valid(out)
}

func unquoteHeader(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		out = append(out, s[i])
	}
	return string(out)
}
