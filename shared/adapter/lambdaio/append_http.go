package lambdaio

import (
	"maps"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

// NewHTTPRequest is r, whose body has been read, as a function URL would pass it on.
func NewHTTPRequest(r *http.Request, body []byte, requestID string, now time.Time) *HTTPRequest {
	headers := make(map[string]string, len(r.Header)+1)
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ",")
	}
	headers["host"] = r.Host
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		ip = r.RemoteAddr
	}
	return &HTTPRequest{
		Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Headers: headers,
		Body: body, SourceIP: ip, RequestID: requestID, Time: now,
	}
}

// AppendHTTPEvent appends the request in payload format 2.0.
func AppendHTTPEvent(dst []byte, r *HTTPRequest) []byte {
	b := appendString(append(dst, `{"version":"2.0","routeKey":"$default","rawPath":`...), r.Path)
	b = appendString(append(b, `,"rawQueryString":`...), r.Query)
	b = appendStrings(append(b, `,"headers":`...), r.Headers)
	b = appendString(append(b, `,"requestContext":{"accountId":"anonymous","requestId":`...), r.RequestID)
	b = appendString(append(b, `,"http":{"method":`...), r.Method)
	b = appendString(append(b, `,"path":`...), r.Path)
	b = append(b, `,"protocol":"HTTP/1.1","sourceIp":`...)
	b = appendString(b, r.SourceIP)
	b = appendString(append(b, `,"userAgent":`...), r.Headers["user-agent"])
	b = append(b, `},"timeEpoch":`...)
	b = append(appendMillis(b, r.Time), '}')
	b = appendBody(b, r.Body, isText(r.Headers["content-type"]))
	return append(b, '}')
}

// isText tells the bodies that a function URL passes on as text.
func isText(contentType string) bool {
	typ, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch typ {
	case "application/json", "application/javascript", "application/xml":
		return true
	}
	return strings.HasPrefix(typ, "text/")
}

// appendBody appends the members body and isBase64Encoded. Text that is not UTF-8 goes in
// base64 too, so that no byte of it changes.
func appendBody(b, body []byte, text bool) []byte {
	if text && utf8.Valid(body) {
		b = appendString(append(b, `,"body":`...), view(body))
		return append(b, `,"isBase64Encoded":false`...)
	}
	b = encodeBase64(append(b, `,"body":"`...), body)
	return append(b, `","isBase64Encoded":true`...)
}

// appendStrings appends an object of strings, in the order of their names.
func appendStrings(b []byte, m map[string]string) []byte {
	b = append(b, '{')
	for i, name := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(append(appendString(b, name), ':'), m[name])
	}
	return append(b, '}')
}

// HTTPResponse is what a handler answers to an HTTPRequest.
type HTTPResponse struct {
	Status  int               // 100 to 599
	Headers map[string]string // by lower-case name
	Body    []byte
}

// Append appends the response as a function URL reads it (AWS Lambda Developer Guide,
// "Invoking Lambda function URLs", response payload format).
func (r *HTTPResponse) Append(dst []byte) []byte {
	b := strconv.AppendInt(append(dst, `{"statusCode":`...), int64(r.Status), 10)
	b = appendStrings(append(b, `,"headers":`...), r.Headers)
	return append(appendBody(b, r.Body, true), '}')
}

// ParseHTTPResponse reads what Append wrote. An answer that is no such object is an
// error, for which a function URL sends 502.
func ParseHTTPResponse(answer []byte) (*HTTPResponse, error) {
	s := &scanner{op: opAnswer, b: answer}
	r := new(HTTPResponse)
	body, encoded := 0, false
	for k, ok := s.firstKey(); ok; k, ok = s.nextKey() {
		switch string(k) {
		case "statusCode":
			r.Status = int(s.integer(100, 599))
		case "headers":
			r.Headers = readHeaders(s)
		case "body":
			s.token()
			body = s.i
			s.skip()
		case "isBase64Encoded":
			encoded = s.truth()
		default:
			s.skip()
		}
	}
	s.end()
	if s.err == nil && r.Status == 0 {
		s.err = s.error(fault.NotJSON, "no statusCode")
	}
	if s.i = body; body != 0 && s.err == nil {
		r.Body = s.bodyText(encoded)
	}
	if s.err != nil {
		return nil, s.err
	}
	return r, nil
}
