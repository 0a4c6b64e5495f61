package spec

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestDefaults(t *testing.T) {
	got, err := Load([]string{"PATH=/bin", "HOME"})
	if err != nil {
		t.Fatal(err)
	}
	want := Settings{
		Env: "dev", LogLevel: slog.LevelInfo, MaxEventBytes: 10_000_000, ClaimBytes: 200 << 10, PackEncoding: "s2",
		RetryBase: 2 * time.Second, RetryMax: 5 * time.Minute, MaxRedrives: 3, SchemaUnknown: "accept",
		HandlerConcurrency: 1, LatencyMetric: "values",
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got.PseudonymKey.Bytes() != nil {
		t.Error("a key out of nowhere")
	}
}

// Every row sets the field that it is named for, and only that one.
func TestEveryRowSetsItsField(t *testing.T) {
	other := map[string]string{
		"Env": "prod-2", "LogLevel": "warn", "MaxEventBytes": "1MiB", "ClaimBytes": "64 KiB", "PackEncoding": "zstd",
		"RetryBase": "1s", "RetryMax": "15m", "MaxRedrives": "0", "SchemaUnknown": "refuse",
		"HandlerConcurrency": "16", "LatencyMetric": "counts", "PseudonymKey": "0123456789abcdef",
	}
	def, err := Load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range Table {
		got, err := Load([]string{row.Key + "=" + other[row.Name]})
		if err != nil {
			t.Errorf("%s: %v", row.Key, err)
			continue
		}
		a, b := reflect.ValueOf(def), reflect.ValueOf(got)
		for i := range a.NumField() {
			name := a.Type().Field(i).Name
			if changed := !a.Field(i).Equal(b.Field(i)); changed != (name == row.Name) {
				t.Errorf("%s=%s: field %s changed: %v", row.Key, other[row.Name], name, changed)
			}
		}
		if empty, err := Load([]string{row.Key + "="}); err != nil || empty != def {
			t.Errorf("%s set to nothing: %+v, %v", row.Key, empty, err)
		}
	}
	if fields := reflect.TypeFor[Settings]().NumField(); fields != len(Table) {
		t.Errorf("%d fields, %d rows", fields, len(Table))
	}
}

func TestTablesAreDocumented(t *testing.T) {
	documented(t, Table, `^MILLRACE_[A-Z]+(_[A-Z]+)*$`)
	documented(t, DeploymentTable, `^[a-z]+([A-Z][a-z]+)*$`)
}

func documented[S any](t *testing.T, table []Row[S], key string) {
	seen := map[string]bool{}
	for _, row := range table {
		if !regexp.MustCompile(key).MatchString(row.Key) || seen[row.Key] {
			t.Errorf("key %q: bad or repeated", row.Key)
		}
		seen[row.Key] = true
		if !strings.HasSuffix(row.Meaning, ".") || strings.ContainsAny(row.Meaning, "|\n") {
			t.Errorf("%s: meaning %q", row.Key, row.Meaning)
		}
		fixed := row.Kind == Flag || len(row.Choices) > 0
		if !fixed && row.Min >= row.Max {
			t.Errorf("%s: range %d to %d", row.Key, row.Min, row.Max)
		}
		if (row.Kind == Text || row.Kind == List) != (row.Pattern != nil) {
			t.Errorf("%s: a text and a list have a pattern, and nothing else has", row.Key)
		}
	}
}

func TestAllErrorsAtOnce(t *testing.T) {
	_, err := Load([]string{
		"MILLRACE_ENV=pröd",
		"MILLRACE_LOG_LEVEL=verbose",
		"MILLRACE_MAX_EVENT_BYTES=lots",
		"MILLRACE_CLAIM_BYTES=1GiB",
		"MILLRACE_PACK_ENCODING=gzip",
		"MILLRACE_RETRY_BASE=2",
		"MILLRACE_MAX_REDRIVES=-1",
		"MILLRACE_HANDLER_CONCURRENCY=0",
		"MILLRACE_PSEUDONYM_KEY=hunter2",
		"MILLRACE_LOGLEVEL=info",
	})
	if err == nil {
		t.Fatal("accepted")
	}
	want := []string{
		`MILLRACE_ENV: "pröd" is wrong: it is to be lower-case letters, digits and - only, a letter first and no - last`,
		`MILLRACE_LOG_LEVEL: "verbose" is none of debug, info, warn, error`,
		`MILLRACE_MAX_EVENT_BYTES: "lots" is not a size such as 512, 200KiB or 10MB`,
		`MILLRACE_CLAIM_BYTES: 1GiB is out of range: 1KiB to 1000KiB`,
		`MILLRACE_PACK_ENCODING: "gzip" is none of s2, zstd`,
		`MILLRACE_RETRY_BASE: "2" is not a duration such as 500ms, 2s or 5m`,
		`MILLRACE_MAX_REDRIVES: -1 is out of range: 0 to 100`,
		`MILLRACE_HANDLER_CONCURRENCY: 0 is out of range: 1 to 1000`,
		`MILLRACE_PSEUDONYM_KEY: the secret has 7 bytes, want 16 to 1024`,
		`MILLRACE_LOGLEVEL: there is no such setting; did you mean MILLRACE_LOG_LEVEL?`,
	}
	if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestRetryBaseAboveMax(t *testing.T) {
	_, err := Load([]string{"MILLRACE_RETRY_BASE=10m"})
	if err == nil || err.Error() != "MILLRACE_RETRY_BASE: 10m0s is more than MILLRACE_RETRY_MAX, 5m0s" {
		t.Errorf("got %v", err)
	}
}

func TestMisspeltVariables(t *testing.T) {
	for name, mean := range map[string]string{
		"MILLRACE_EVN":               "MILLRACE_ENV",
		"MILLRACE_MAX_EVENTS_BYTES":  "MILLRACE_MAX_EVENT_BYTES",
		"MILLRACE_PSEUDONYMKEY":      "MILLRACE_PSEUDONYM_KEY",
		"MILLRACE_RETRY_BAES":        "MILLRACE_RETRY_BASE",
		"MILLRACE_MAX_REDRIVE":       "MILLRACE_MAX_REDRIVES",
		"MILLRACE_SOMETHING_ELSE_YY": "",
	} {
		_, err := Load([]string{name + "=topsecret"})
		if err == nil {
			t.Errorf("%s was accepted", name)
			continue
		}
		if mean != "" && !strings.Contains(err.Error(), "did you mean "+mean+"?") || mean == "" && strings.Contains(err.Error(), "did you mean") {
			t.Errorf("%s: %v", name, err)
		}
		if strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: the value may be a secret and is printed: %v", name, err)
		}
	}
	if _, err := Load([]string{"MILLRACE_REQUIRE=kafka", "MILLRACE_SHARED=/x"}); err != nil {
		t.Errorf("a variable of the tests: %v", err)
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	const key = "correct horse battery"
	s, err := Load([]string{"MILLRACE_PSEUDONYM_KEY=" + key})
	if err != nil {
		t.Fatal(err)
	}
	if string(s.PseudonymKey.Bytes()) != key {
		t.Fatal("the key was lost")
	}
	asJSON, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	l := slog.New(slog.NewJSONHandler(&log, nil))
	l.Info("start", "settings", s, "key", s.PseudonymKey)
	slog.New(slog.NewTextHandler(&log, nil)).Info("start", "settings", s, "key", s.PseudonymKey)
	out := log.String() + string(asJSON)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		out += fmt.Sprintf(verb, s) + fmt.Sprintf(verb, &s) + fmt.Sprintf(verb, s.PseudonymKey)
	}
	if strings.Contains(out, key[:7]) || strings.Contains(strings.ToLower(out), fmt.Sprintf("%x", key[:7])) {
		t.Errorf("the key is in %s", out)
	}
	if !strings.Contains(out, redacted) {
		t.Error("nothing says that there is a key")
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "512": 512, "512B": 512, "1kB": 1000, "1KB": 1000, "1KiB": 1024, "10MB": 10_000_000, "10 MiB": 10 << 20, "2GiB": 2 << 30,
		"": -1, "MB": -1, "-1": -1, "1.5MB": -1, "1TB": -1, "9223372036854775807GiB": -1, "1 0": -1,
	} {
		got, err := parseBytes(text)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
		if err == nil {
			if back, _ := parseBytes(formatBytes(got)); back != got {
				t.Errorf("%q: formatted as %s", text, formatBytes(got))
			}
		}
	}
}

func TestMarkdown(t *testing.T) {
	for _, doc := range []struct {
		text string
		rows int
	}{{SettingsMarkdown(), len(Table)}, {DeploymentMarkdown(), len(DeploymentTable)}, {MetricsMarkdown(), len(Metrics)}} {
		lines := strings.Split(strings.TrimSuffix(doc.text, "\n"), "\n")
		if len(lines) != doc.rows+2 {
			t.Errorf("%d lines for %d rows", len(lines), doc.rows)
		}
		for _, l := range lines {
			if strings.Count(l, "|") != 6 {
				t.Errorf("not five columns: %s", l)
			}
		}
	}
	if want := "| `MILLRACE_RETRY_MAX` | duration | `5m` | 1s to 15m | "; !strings.Contains(SettingsMarkdown(), want) {
		t.Errorf("no row %q in\n%s", want, SettingsMarkdown())
	}
}
