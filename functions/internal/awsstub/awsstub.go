// Package awsstub answers the few AWS calls that the functions make, so that a benchmark
// measures the function and nothing else. It checks that a request is well-formed and
// counts it; what the services really do is for the integration tests.
package awsstub

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Stub is a server for AWS_ENDPOINT_URL.
type Stub struct {
	URL string

	mu       sync.Mutex
	messages map[string][]Message // by topic ARN or queue URL
	refuse   func(body string) bool
}

// Message is one message that was sent.
type Message struct {
	Body       string
	Attributes map[string]string
	Delay      int // seconds; of a message that was sent to a queue
}

// Start starts a stub for the time of the test.
func Start(t testing.TB) *Stub {
	s := &Stub{messages: make(map[string][]Message)}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	s.URL = srv.URL
	return s
}

// Refuse makes every entry of a batch fail for which f is true; nil: none.
func (s *Stub) Refuse(f func(body string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse = f
}

// Take returns and forgets what was sent to a topic or a queue.
func (s *Stub) Take(to string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.messages[to]
	delete(s.messages, to)
	return m
}

// ServeHTTP implements http.Handler: SQS in its JSON protocol, SNS in the Query protocol.
func (s *Stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		s.sqs(w, r, target)
		return
	}
	if err := r.ParseForm(); err != nil || r.Form.Get("Action") != "PublishBatch" {
		http.Error(w, fmt.Sprintf("unexpected action %q", r.Form.Get("Action")), http.StatusBadRequest)
		return
	}
	s.sns(w, r)
}

func (s *Stub) sqs(w http.ResponseWriter, r *http.Request, target string) {
	var in struct {
		QueueURL string `json:"QueueUrl"`
		Entries  []struct {
			ID                string `json:"Id"`
			MessageBody       string
			DelaySeconds      int
			MessageAttributes map[string]struct{ StringValue string }
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !strings.HasSuffix(target, ".SendMessageBatch") {
		http.Error(w, fmt.Sprintf("unexpected %s: %v", target, err), http.StatusBadRequest)
		return
	}
	type result struct{ Id, MessageId, Code, Message string } //nolint:revive // AWS's spelling
	var ok, failed []result
	for _, e := range in.Entries {
		if s.refuse != nil && s.refuse(e.MessageBody) {
			failed = append(failed, result{Id: e.ID, Code: "InternalError"})
			continue
		}
		attrs := make(map[string]string)
		for name, v := range e.MessageAttributes {
			attrs[name] = v.StringValue
		}
		s.messages[in.QueueURL] = append(s.messages[in.QueueURL], Message{Body: e.MessageBody, Attributes: attrs, Delay: e.DelaySeconds})
		ok = append(ok, result{Id: e.ID, MessageId: e.ID})
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	_ = json.NewEncoder(w).Encode(map[string]any{"Successful": ok, "Failed": failed})
}

type snsResult struct {
	XMLName    xml.Name   `xml:"PublishBatchResponse"`
	Successful []snsEntry `xml:"PublishBatchResult>Successful>member"`
	Failed     []snsEntry `xml:"PublishBatchResult>Failed>member"`
}

type snsEntry struct {
	ID        string `xml:"Id"`
	MessageID string `xml:"MessageId,omitempty"`
	Code      string `xml:"Code,omitempty"`
}

func (s *Stub) sns(w http.ResponseWriter, r *http.Request) {
	var out snsResult
	topic := r.Form.Get("TopicArn")
	for i := 1; ; i++ {
		entry := fmt.Sprintf("PublishBatchRequestEntries.member.%d.", i)
		id := r.Form.Get(entry + "Id")
		if id == "" {
			break
		}
		body := r.Form.Get(entry + "Message")
		if s.refuse != nil && s.refuse(body) {
			out.Failed = append(out.Failed, snsEntry{ID: id, Code: "InternalError"})
			continue
		}
		attrs := make(map[string]string)
		for k := 1; ; k++ {
			a := fmt.Sprintf("%sMessageAttributes.entry.%d.", entry, k)
			name := r.Form.Get(a + "Name")
			if name == "" {
				break
			}
			attrs[name] = r.Form.Get(a + "Value.StringValue")
		}
		s.messages[topic] = append(s.messages[topic], Message{Body: body, Attributes: attrs})
		out.Successful = append(out.Successful, snsEntry{ID: id, MessageID: id})
	}
	w.Header().Set("Content-Type", "text/xml")
	_ = xml.NewEncoder(w).Encode(out)
}
