package lambdaio

import (
	"math"
	"strings"
	"time"
)

// HTTPRequest is a request to a function URL.
type HTTPRequest struct {
	Method    string
	Path      string            // as in the URL
	Query     string            // as in the URL, without "?"
	Headers   map[string]string // by lower-case name; several values are joined with ","
	Body      []byte            // decoded
	SourceIP  string
	RequestID string    // of the front door, not of the invocation
	Time      time.Time // when the front door received it; zero if it does not say
}

// httpRequest reads payload format 2.0 (AWS Lambda Developer Guide, "Invoking Lambda
// function URLs", request payload format).
func httpRequest(s *scanner, m *members) *HTTPRequest {
	if v := s.stringAt(m.version); v != "2.0" {
		s.unknown("an HTTP request in payload format %q", v)
		return nil
	}
	r := &HTTPRequest{Path: s.stringAt(m.path), Query: s.stringAt(m.query)}
	if s.i = m.headers; s.i != 0 {
		r.Headers = readHeaders(s)
	}
	s.i = m.context
	r.readContext(s)
	encoded := false
	if s.i = m.base64Encoded; s.i != 0 {
		encoded = s.truth()
	}
	if s.i = m.body; s.i != 0 {
		r.Body = s.bodyText(encoded)
	}
	return r
}

// readHeaders reads an object of strings; names that differ in case alone are one.
func readHeaders(s *scanner) map[string]string {
	headers := make(map[string]string)
	for k, ok := s.firstKey(); ok; k, ok = s.nextKey() {
		name, value := strings.ToLower(string(k)), string(s.text())
		if before, ok := headers[name]; ok {
			value = before + "," + value
		}
		headers[name] = value
	}
	return headers
}

func (r *HTTPRequest) readContext(s *scanner) {
	for k, ok := s.firstKey(); ok; k, ok = s.nextKey() {
		switch string(k) {
		case "requestId":
			r.RequestID = string(s.text())
		case "timeEpoch":
			r.Time = epochMillis(s.integer(math.MinInt64, math.MaxInt64))
		case "http":
			for k, ok := s.firstKey(); ok; k, ok = s.nextKey() {
				switch string(k) {
				case "method":
					r.Method = string(s.text())
				case "sourceIp":
					r.SourceIP = string(s.text())
				default:
					s.skip()
				}
			}
		default:
			s.skip()
		}
	}
}

// bodyText reads a body, null as nil.
func (s *scanner) bodyText(encoded bool) []byte {
	start := s.i
	body := s.text()
	if !encoded || body == nil {
		return body
	}
	out, ok := appendBase64(make([]byte, 0, len(body)/4*3), body)
	if !ok {
		s.i = start
		s.fail("a string of base64, as isBase64Encoded says")
	}
	return out
}
