package spec

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Settings is what an installation can choose. Load reads it from the environment; the
// table of settings says what each one means.
type Settings struct {
	Env                string
	LogLevel           slog.Level
	MaxEventBytes      int
	ClaimBytes         int
	PackEncoding       string // PackS2 or PackZstd
	RetryBase          time.Duration
	RetryMax           time.Duration
	MaxRedrives        int
	SchemaUnknown      string // SchemaAccept or SchemaRefuse
	HandlerConcurrency int
	LatencyMetric      string // LatencyValues or LatencyCounts
	PseudonymKey       Secret
}

// Choices of settings.
const (
	PackS2   = "s2"
	PackZstd = "zstd"

	SchemaAccept = "accept"
	SchemaRefuse = "refuse"

	LatencyValues = "values"
	LatencyCounts = "counts"
)

// minPseudonymKey is the least length of the pseudonym key: identifiers such as
// telephone numbers are few, and a key that can be guessed would give them away.
const minPseudonymKey = 16

// maxEnv is the most characters of the setting Env: it is part of the names of buckets,
// which have at most 63.
const maxEnv = 16

// Kind of a setting: how its text is read.
type Kind string

const (
	Text     Kind = "text"
	Choice   Kind = "choice"
	Integer  Kind = "integer"
	Bytes    Kind = "bytes"    // 512, 200KiB, 10MB
	Duration Kind = "duration" // 500ms, 2s, 5m
	Level    Kind = "log level"
	Key      Kind = "secret"
)

// Setting is one row of Table.
type Setting struct {
	Name    string // of the field of Settings
	Env     string // the environment variable
	Kind    Kind
	Default string   // as one would write it; "" for none
	Choices []string // of a Choice or a Level
	// Min and Max, inclusive: of the number of an Integer, of the bytes, of the duration
	// in nanoseconds, of the length of a Text or a Key (an empty Key is allowed).
	Min, Max int64
	Meaning  string

	into func(*Settings) any // where the value goes
}

// EnvPrefix begins the name of every environment variable of Millrace.
const EnvPrefix = "MILLRACE_"

// Table is all settings in the order of the docs.
var Table = []Setting{
	{"Env", "MILLRACE_ENV", Text, "dev", nil, 1, maxEnv,
		"Name of the environment, such as `prod`: a dimension of every metric and a field of every log line. Letters, digits, `-` and `_`.",
		func(s *Settings) any { return &s.Env }},
	{"LogLevel", "MILLRACE_LOG_LEVEL", Level, "info", []string{"debug", "info", "warn", "error"}, 0, 0,
		"The least level of log lines that are written.",
		func(s *Settings) any { return &s.LogLevel }},
	{"MaxEventBytes", "MILLRACE_MAX_EVENT_BYTES", Bytes, "10MB", nil, 1 << 10, 15e6,
		"Largest event that is accepted, as JSON. A larger one is refused at the HTTP door and dead-lettered when it came from Kafka or SQS. The most is what one MongoDB document holds.",
		func(s *Settings) any { return &s.MaxEventBytes }},
	{"ClaimBytes", "MILLRACE_CLAIM_BYTES", Bytes, "200KiB", nil, 1 << 10, 1000 << 10,
		"A message body above this travels by claim check: its bytes in the bucket, a reference in the message. Above 250KiB the SNS topics need a larger MaximumMessageSize.",
		func(s *Settings) any { return &s.ClaimBytes }},
	{"PackEncoding", "MILLRACE_PACK_ENCODING", Choice, PackS2, []string{PackS2, PackZstd}, 0, 0,
		"Compression of packs: `s2` costs the least CPU, `zstd` the fewest billed units of SNS and SQS.",
		func(s *Settings) any { return &s.PackEncoding }},
	{"RetryBase", "MILLRACE_RETRY_BASE", Duration, "2s", nil, int64(time.Second), int64(15 * time.Minute),
		"Longest wait before the first retry of an event; it doubles with every further attempt. The wait itself is a random part of it, in whole seconds.",
		func(s *Settings) any { return &s.RetryBase }},
	{"RetryMax", "MILLRACE_RETRY_MAX", Duration, "5m", nil, int64(time.Second), int64(15 * time.Minute),
		"Longest wait before any retry. SQS delays a message by 15 minutes at most.",
		func(s *Settings) any { return &s.RetryMax }},
	{"MaxRedrives", "MILLRACE_MAX_REDRIVES", Integer, "3", nil, 0, 100,
		"How often a dead letter is sent back to its stage before it goes to the quarantine.",
		func(s *Settings) any { return &s.MaxRedrives }},
	{"SchemaUnknown", "MILLRACE_SCHEMA_UNKNOWN", Choice, SchemaAccept, []string{SchemaAccept, SchemaRefuse}, 0, 0,
		"What becomes of an event whose type has no schema: `accept` lets it pass unchecked, `refuse` treats it as bad.",
		func(s *Settings) any { return &s.SchemaUnknown }},
	{"HandlerConcurrency", "MILLRACE_HANDLER_CONCURRENCY", Integer, "1", nil, 1, 1000,
		"How many handlers with side effects run at once in one invocation. With 1 they run in the order of the batch.",
		func(s *Settings) any { return &s.HandlerConcurrency }},
	{"LatencyMetric", "MILLRACE_LATENCY_METRIC", Choice, LatencyValues, []string{LatencyValues, LatencyCounts}, 0, 0,
		"How EventLatency is written to CloudWatch: `values` is one number per event, 100 to a log line, as the specification of the embedded metric format has it; `counts` is one histogram per invocation, which is far smaller and accepted by CloudWatch, but is not in that specification.",
		func(s *Settings) any { return &s.LatencyMetric }},
	{"PseudonymKey", "MILLRACE_PSEUDONYM_KEY", Key, "", nil, minPseudonymKey, 1024,
		"Secret from which the pseudonyms of patients are made; keep it for good, since with another key a person gets another pseudonym. Without one, identifiers of persons are removed instead.",
		func(s *Settings) any { return &s.PseudonymKey }},
}

// notSettings are variables that begin with EnvPrefix and are read elsewhere: by the
// tests, whose environment the programs under test inherit.
var notSettings = []string{"MILLRACE_SHARED", "MILLRACE_REQUIRE", "MILLRACE_CACHE", "MILLRACE_KAFKA"}

// Load reads the settings from an environment as os.Environ gives it. A variable that
// is not set, or set to "", leaves the default. The error names everything that is
// wrong, one line each: values that do not parse or are out of range, and variables
// that begin with EnvPrefix and that nobody reads, since a misspelt name would
// otherwise silently leave the default in force. No error holds the value of a secret.
func Load(environ []string) (Settings, error) {
	var s Settings
	var errs []error
	given := make(map[string]string)
	for _, kv := range environ {
		if name, value, ok := strings.Cut(kv, "="); ok && strings.HasPrefix(name, EnvPrefix) {
			given[name] = value
		}
	}
	for _, row := range Table {
		value := given[row.Env]
		delete(given, row.Env)
		if value == "" {
			value = row.Default
		}
		if err := row.parse(&s, value); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", row.Env, err))
		}
	}
	if len(errs) == 0 && s.RetryBase > s.RetryMax {
		errs = append(errs, fmt.Errorf("MILLRACE_RETRY_BASE: %v is more than MILLRACE_RETRY_MAX, %v", s.RetryBase, s.RetryMax))
	}
	errs = append(errs, unknown(given)...)
	if len(errs) > 0 {
		return Settings{}, errors.Join(errs...)
	}
	return s, nil
}

// unknown makes an error of every variable that is left over.
func unknown(given map[string]string) []error {
	var names []string
	for name := range given {
		if !slices.Contains(notSettings, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	errs := make([]error, len(names))
	for i, name := range names {
		if near := nearest(name); near != "" {
			errs[i] = fmt.Errorf("%s: there is no such setting; did you mean %s?", name, near)
		} else {
			errs[i] = fmt.Errorf("%s: there is no such setting", name)
		}
	}
	return errs
}
