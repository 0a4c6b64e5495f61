package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/ops"
)

// answers serves one answer per request, and notes the bodies.
type answers struct {
	list   []func(w http.ResponseWriter)
	bodies []string
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	a.bodies = append(a.bodies, r.URL.Path+" "+r.Header.Get("content-type")+" "+string(b))
	if len(a.list) == 0 {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	a.list[0](w)
	a.list = a.list[1:]
}

func status(code int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(code)
		fmt.Fprint(w, body)
	}
}

func refuse(index ...int) func(http.ResponseWriter) {
	var errs []map[string]any
	for _, i := range index {
		errs = append(errs, map[string]any{"index": i, "reason": "schema_violation", "detail": "schema_violation: no"})
	}
	body, _ := json.Marshal(map[string]any{"detail": "none was accepted", "errors": errs})
	return status(http.StatusBadRequest, string(body))
}

func sendHTTP(t *testing.T, a *answers, checked bool, lines ...string) []string {
	t.Helper()
	server := httptest.NewServer(a)
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := newHTTPDoor(t.Context(), processEnv(), u)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.close()
	d := opened.Door.(*httpDoor)
	d.pause = time.Millisecond
	batch := make([]ops.Line, len(lines))
	for i, s := range lines {
		batch[i] = ops.Line{Raw: []byte(s), Checked: checked}
	}
	var got []string
	for _, err := range d.Send(context.Background(), batch) {
		switch {
		case err == nil:
			got = append(got, "ok")
		case fault.KindOf(err) == fault.Permanent:
			got = append(got, "refused: "+err.Error())
		default:
			got = append(got, "failed: "+strings.ReplaceAll(err.Error(), server.URL, "URL"))
		}
	}
	return got
}

func TestHTTPDoor(t *testing.T) {
	const batch, single = "/events application/cloudevents-batch+json ", "/events application/cloudevents+json "
	for _, tc := range []struct {
		name    string
		checked bool
		lines   string
		answers []func(http.ResponseWriter)
		want    []string
		bodies  []string
	}{
		{"a batch", true, "1 2 3", nil, []string{"ok", "ok", "ok"}, []string{batch + "[1,2,3]"}},
		{"one event", true, "1", nil, []string{"ok"}, []string{single + "1"}},
		{"unchecked lines go one by one", false, "1 2", []func(http.ResponseWriter){refuse(0)},
			[]string{"refused: schema_violation: no", "ok"}, []string{single + "1", single + "2"}},
		{"after refusals the rest goes again", true, "1 2 3 4", []func(http.ResponseWriter){refuse(1, 3), refuse(1)},
			[]string{"ok", "refused: schema_violation: no", "refused: schema_violation: no", "refused: schema_violation: no"},
			[]string{batch + "[1,2,3,4]", batch + "[1,3]", single + "1"}},
		{"a passing failure is tried again", true, "1 2", []func(http.ResponseWriter){status(503, "busy"), status(502, "")},
			[]string{"ok", "ok"}, []string{batch + "[1,2]", batch + "[1,2]", batch + "[1,2]"}},
		{"one that does not pass", true, "1 2", []func(http.ResponseWriter){status(503, "busy\n now"), status(503, ""), status(503, ""), status(503, ""), status(503, "still")},
			[]string{"failed: URL/events answers 503 Service Unavailable: still", "failed: URL/events answers 503 Service Unavailable: still"},
			[]string{batch + "[1,2]", batch + "[1,2]", batch + "[1,2]", batch + "[1,2]", batch + "[1,2]"}},
		{"a request that is refused as such", true, "1 2", []func(http.ResponseWriter){status(401, `{"detail":"who are you?"}`)},
			[]string{"failed: the server answers 401 Unauthorized: who are you?", "failed: the server answers 401 Unauthorized: who are you?"},
			[]string{batch + "[1,2]"}},
		{"one event that another server refuses", true, "1", []func(http.ResponseWriter){status(400, "bad event")},
			[]string{"refused: unknown: the server answers 400 Bad Request: bad event"}, []string{single + "1"}},
		{"indexes that name nothing", true, "1 2", []func(http.ResponseWriter){refuse(7, -1)},
			[]string{"failed: the server answers 400 Bad Request: none was accepted", "failed: the server answers 400 Bad Request: none was accepted"},
			[]string{batch + "[1,2]"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := &answers{list: tc.answers}
			if d := cmp.Diff(tc.want, sendHTTP(t, a, tc.checked, strings.Fields(tc.lines)...)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(tc.bodies, a.bodies); d != "" {
				t.Error(d)
			}
		})
	}
}
