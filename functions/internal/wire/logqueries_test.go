package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/adapter/emf"
	"github.com/millrace-pipeline/millrace/shared/adapter/logs"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// writtenFields are the fields that Logs Insights discovers in what a stage writes (Amazon
// CloudWatch Logs User Guide, "Supported logs and discovered fields": a member of a list
// is named by its index).
func writtenFields(t *testing.T, stage string) map[string]bool {
	t.Helper()
	r := pipeline.Report{
		Stage: stage, RequestID: "r-1", TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Source: "sqs",
		Start: time.Unix(1764000000, 0), Duration: time.Second, Deliveries: 1, Events: 1, Dead: 1,
		Reasons: map[fault.Reason]int{fault.PublishFailed: 1},
		Failures: []pipeline.Failure{{
			Key: event.Key{Source: "/a", ID: "1"}, Attempt: 5, Dead: true, Err: fault.Wrap(errors.New("refused"), fault.PublishFailed, "publish"),
		}},
	}
	var out bytes.Buffer
	log := logs.New(&out, slog.LevelInfo, "test")
	logs.Invocation(t.Context(), log, &r)
	log.Error("the invocation failed", slog.Any("error", errors.New("x")))
	w, err := emf.New(&out, emf.Options{Env: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Emit(&r); err != nil {
		t.Fatal(err)
	}
	fields := make(map[string]bool)
	for line := range bytes.Lines(out.Bytes()) {
		var v any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		discover(fields, "", v)
	}
	return fields
}

func discover(fields map[string]bool, name string, v any) {
	fields[name] = true
	switch v := v.(type) {
	case map[string]any:
		for k, member := range v {
			discover(fields, strings.TrimPrefix(name+"."+k, "."), member)
		}
	case []any:
		for i, member := range v {
			discover(fields, name+"."+strconv.Itoa(i), member)
		}
	}
}

var (
	quoted = regexp.MustCompile(`"[^"]*"|/(?:[^/\\\n]|\\.)+\|[^/\n]*/`) // texts, and patterns with alternatives
	word   = regexp.MustCompile(`@?[A-Za-z_][A-Za-z_0-9.]*`)
	alias  = regexp.MustCompile(`\b(?:as|into) ([a-z_]+)`)
	// language of Logs Insights, as far as the queries use it.
	language = strings.Fields("fields filter stats sort limit unnest into as by asc desc or and like ispresent jsonParse count sum avg max latest coalesce")
	// lambdas are fields that Lambda's own lines have, or all lines.
	lambdas = strings.Fields("@timestamp @message @type @billedDuration @memorySize @requestId @log")
)

// fieldsOf are the fields that a query reads.
func fieldsOf(query string) []string {
	query = quoted.ReplaceAllString(query, "")
	known := slices.Clone(language)
	for _, m := range alias.FindAllStringSubmatch(query, -1) {
		known = append(known, m[1])
	}
	var fields []string
	for _, w := range word.FindAllString(query, -1) {
		if !slices.Contains(known, w) {
			fields = append(fields, w)
		}
	}
	return fields
}

// A query on a field that nobody writes finds nothing, and says so to nobody.
func TestLogQueriesReadWhatIsWritten(t *testing.T) {
	written := make(map[string]bool)
	for _, stage := range []string{spec.Ingest, spec.Process, spec.Persist} {
		for f := range writtenFields(t, stage) {
			written[f] = true
		}
	}
	// An element of failures is what unnest gives as failure, of the line that jsonParse
	// gives as line.
	for f := range written {
		if rest, ok := strings.CutPrefix(f, "failures.0."); ok {
			written["failure."+rest] = true
		}
	}
	written["line.failures"] = written["failures"]
	own := 0
	for _, q := range spec.LogQueries(spec.ARM64) {
		for _, f := range fieldsOf(q.Text) {
			if slices.Contains(lambdas, f) {
				continue
			}
			own++
			if !written[f] {
				t.Errorf("%s reads %q, which no line has", q.Name, f)
			}
		}
	}
	if own < 20 {
		t.Errorf("only %d fields were checked", own)
	}
}

func TestFieldsOf(t *testing.T) {
	got := fieldsOf(`filter msg = "in voc" and @message like /a b|c/ | stats count(*) as n, latest(x.0.y) as z by Stage, n`)
	if want := []string{"msg", "@message", "x.0.y", "Stage"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// The invocations' lines are found by their message.
func TestLogQueriesKnowTheMessage(t *testing.T) {
	for _, q := range spec.LogQueries(spec.ARM64) {
		if q.Name == spec.QueryErrors && !strings.Contains(q.Text, `msg = "`+logs.Message+`"`) {
			t.Errorf("%s does not look for %q", q.Name, logs.Message)
		}
	}
}
