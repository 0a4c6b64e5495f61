package pipeline

import (
	"maps"
	"strconv"
	"time"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

// Names of the message attributes. Ten in all: SNS discards a raw-delivery message
// that has more (Amazon SNS Developer Guide, "Raw message delivery").
const (
	attrContentType  = "content-type"
	attrEncoding     = "encoding"
	attrCount        = "count"
	attrAttempt      = "attempt"
	attrFirstFailure = "first-failure"
	attrTraceParent  = "traceparent"
	attrRedrives     = "redrives"
	attrReason       = "reason"
	attrStage        = "stage"
	attrError        = "error"
)

// maxErrorBytes bounds the error text in a message attribute.
const maxErrorBytes = 1024

// Attrs are the message attributes of Millrace.
type Attrs struct {
	ContentType  string
	Encoding     string    // package pack's encodings, or EncodingClaim
	Count        int       // events in the body; 0 where unknown
	Attempt      int       // attempts that failed before this message was sent; 0 on the first
	FirstFailure time.Time // of the first failed attempt; zero if there was none
	TraceParent  string    // W3C trace context of the invocation that sent it
	Redrives     int       // times it came back from a dead-letter queue

	// Of dead letters only.
	Reason fault.Reason
	Stage  string // the stage it failed in
	Error  string
}

// Map writes the attributes as SQS carries them, without those that have their zero value.
func (a Attrs) Map() map[string]string {
	m := make(map[string]string, 4)
	set := func(name, v string) {
		if v != "" {
			m[name] = v
		}
	}
	num := func(name string, n int) {
		if n != 0 {
			m[name] = strconv.Itoa(n)
		}
	}
	set(attrContentType, a.ContentType)
	set(attrEncoding, a.Encoding)
	num(attrCount, a.Count)
	num(attrAttempt, a.Attempt)
	if !a.FirstFailure.IsZero() {
		m[attrFirstFailure] = a.FirstFailure.UTC().Format(time.RFC3339Nano)
	}
	set(attrTraceParent, a.TraceParent)
	num(attrRedrives, a.Redrives)
	set(attrReason, string(a.Reason))
	set(attrStage, a.Stage)
	set(attrError, a.Error)
	return m
}

// ParseAttrs reads what Map wrote. Attributes of other names come back as foreign, nil
// if there are none; a value that does not parse counts as absent.
func ParseAttrs(m map[string]string) (a Attrs, foreign map[string]string) {
	for name, v := range m {
		switch name {
		case attrContentType:
			a.ContentType = v
		case attrEncoding:
			a.Encoding = v
		case attrCount:
			a.Count, _ = strconv.Atoi(v)
		case attrAttempt:
			a.Attempt, _ = strconv.Atoi(v)
		case attrFirstFailure:
			a.FirstFailure, _ = time.Parse(time.RFC3339Nano, v)
		case attrTraceParent:
			a.TraceParent = v
		case attrRedrives:
			a.Redrives, _ = strconv.Atoi(v)
		case attrReason:
			a.Reason = fault.Reason(v)
		case attrStage:
			a.Stage = v
		case attrError:
			a.Error = v
		default:
			if foreign == nil {
				foreign = maps.Clone(m)
				maps.DeleteFunc(foreign, func(k, _ string) bool { return ours[k] })
			}
		}
	}
	return a, foreign
}

var ours = map[string]bool{
	attrContentType: true, attrEncoding: true, attrCount: true, attrAttempt: true, attrFirstFailure: true,
	attrTraceParent: true, attrRedrives: true, attrReason: true, attrStage: true, attrError: true,
}
