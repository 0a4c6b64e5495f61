package lambdaio

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestHTTPRoundTrip: what AppendHTTPEvent writes, Decode and aws-lambda-go read.
func TestHTTPRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &HTTPRequest{
			Method: rapid.SampledFrom([]string{"GET", "POST"}).Draw(t, "method"), Path: rapid.String().Draw(t, "path"),
			Query:    rapid.String().Draw(t, "query"),
			Headers:  rapid.MapOfN(rapid.StringMatching(`[a-z0-9-]{1,10}`), rapid.String(), 0, 5).Draw(t, "headers"),
			Body:     rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
			SourceIP: "2001:db8::1", RequestID: rapid.String().Draw(t, "id"), Time: ms(rapid.Int64Range(1, 1<<41).Draw(t, "time")),
		}
		want.Headers["content-type"] = rapid.SampledFrom([]string{"", "application/json", "text/plain; charset=utf-8", "application/cloudevents+json", ";"}).Draw(t, "type")
		payload := AppendHTTPEvent(nil, want)
		in, err := Decode(payload)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&Invocation{Kind: HTTP, HTTP: want}, in); diff != "" {
			t.Fatalf("want -, got +\n%s", diff)
		}
		var e events.LambdaFunctionURLRequest
		if err := json.Unmarshal(payload, &e); err != nil {
			t.Fatal(err)
		}
		body := []byte(e.Body)
		if e.IsBase64Encoded {
			if body, err = base64.StdEncoding.DecodeString(e.Body); err != nil {
				t.Fatal(err)
			}
		}
		if string(body) != string(want.Body) || e.RawPath != want.Path || e.RawQueryString != want.Query ||
			!maps.Equal(e.Headers, want.Headers) || e.RequestContext.HTTP.Method != want.Method ||
			e.RequestContext.HTTP.SourceIP != want.SourceIP || e.RequestContext.TimeEpoch != want.Time.UnixMilli() {
			t.Fatalf("aws-lambda-go reads %+v of %+v", e, want)
		}
	})
}

func TestHTTPResponseRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &HTTPResponse{
			Status:  rapid.IntRange(100, 599).Draw(t, "status"),
			Headers: rapid.MapOfN(rapid.StringMatching(`[a-z0-9-]{1,10}`), rapid.String(), 0, 5).Draw(t, "headers"),
			Body:    rapid.SliceOf(rapid.Byte()).Draw(t, "body"),
		}
		answer := want.Append(nil)
		got, err := ParseHTTPResponse(answer)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("want -, got +\n%s", diff)
		}
		var e events.LambdaFunctionURLResponse
		if err := json.Unmarshal(answer, &e); err != nil || e.StatusCode != want.Status || !maps.Equal(e.Headers, want.Headers) {
			t.Fatalf("aws-lambda-go reads %+v of %+v: %v", e, want, err)
		}
	})
	for _, bad := range []string{``, `null`, `{}`, `{"statusCode":"200"}`, `{"statusCode":99}`, `[]`, `{"statusCode":200`,
		`{"statusCode":200,"body":"?","isBase64Encoded":true}`, `{"statusCode":200,"body":7}`} {
		if r, err := ParseHTTPResponse([]byte(bad)); err == nil {
			t.Errorf("%s: got %+v, no error", bad, r)
		}
	}
}

func TestNewHTTPRequest(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "http://events.example.com/a%2Fb?x=1&x=2", strings.NewReader("body"))
	r.Header.Add("Ce-Id", "7")
	r.Header.Add("X-Many", "1")
	r.Header.Add("X-Many", "2")
	r.RemoteAddr = "[2001:db8::1]:4242"
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	want := &HTTPRequest{
		Method: "POST", Path: "/a%2Fb", Query: "x=1&x=2", Body: []byte("body"), SourceIP: "2001:db8::1", RequestID: "id", Time: now,
		Headers: map[string]string{"ce-id": "7", "x-many": "1,2", "host": "events.example.com"},
	}
	if diff := cmp.Diff(want, NewHTTPRequest(r, []byte("body"), "id", now)); diff != "" {
		t.Fatalf("want -, got +\n%s", diff)
	}
}
