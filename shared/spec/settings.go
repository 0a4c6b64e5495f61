package spec

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
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

// MinPseudonymKey is the least length of the pseudonym key: identifiers such as
// telephone numbers are few, and a key that can be guessed would give them away.
const MinPseudonymKey = 16

// maxEnv is the most characters of the setting Env: it is part of the names of buckets,
// which have at most 63. See envName for the rest of the rule.
const maxEnv = 16

// EnvPrefix begins the name of every environment variable of Millrace.
const EnvPrefix = "MILLRACE_"

// Table is all settings in the order of the docs.
var Table = []Row[Settings]{
	{Name: "Env", Key: "MILLRACE_ENV", Kind: Text, Default: "dev", Min: 1, Max: maxEnv, Pattern: envName,
		Meaning: "Name of the environment, such as `prod`: part of the name of everything that is deployed, a dimension of every metric and a field of every log line. Lower-case letters, digits and `-`, a letter first.",
		into:    func(s *Settings) any { return &s.Env }},
	{Name: "LogLevel", Key: "MILLRACE_LOG_LEVEL", Kind: Level, Default: "info", Choices: []string{"debug", "info", "warn", "error"},
		Meaning: "The least level of log lines that are written.",
		into:    func(s *Settings) any { return &s.LogLevel }},
	{Name: "MaxEventBytes", Key: "MILLRACE_MAX_EVENT_BYTES", Kind: Bytes, Default: "10MB", Min: 1 << 10, Max: 15e6,
		Meaning: "Largest event that is accepted, as JSON. A larger one is refused at the HTTP door and dead-lettered when it came from Kafka or SQS. The most is what one MongoDB document holds.",
		into:    func(s *Settings) any { return &s.MaxEventBytes }},
	{Name: "ClaimBytes", Key: "MILLRACE_CLAIM_BYTES", Kind: Bytes, Default: "200KiB", Min: 1 << 10, Max: 1000 << 10,
		Meaning: "A message body above this travels by claim check: its bytes in the bucket, a reference in the message. Above 250KiB the SNS topics need a larger MaximumMessageSize.",
		into:    func(s *Settings) any { return &s.ClaimBytes }},
	{Name: "PackEncoding", Key: "MILLRACE_PACK_ENCODING", Kind: Choice, Default: PackS2, Choices: []string{PackS2, PackZstd},
		Meaning: "Compression of packs: `s2` costs the least CPU, `zstd` the fewest billed units of SNS and SQS. A deployment's default is `zstd`.",
		into:    func(s *Settings) any { return &s.PackEncoding }},
	{Name: "RetryBase", Key: "MILLRACE_RETRY_BASE", Kind: Duration, Default: "2s", Min: int64(time.Second), Max: int64(15 * time.Minute),
		Meaning: "Longest wait before the first retry of an event; it doubles with every further attempt. The wait itself is a random part of it, in whole seconds.",
		into:    func(s *Settings) any { return &s.RetryBase }},
	{Name: "RetryMax", Key: "MILLRACE_RETRY_MAX", Kind: Duration, Default: "5m", Min: int64(time.Second), Max: int64(15 * time.Minute),
		Meaning: "Longest wait before any retry. SQS delays a message by 15 minutes at most.",
		into:    func(s *Settings) any { return &s.RetryMax }},
	{Name: "MaxRedrives", Key: "MILLRACE_MAX_REDRIVES", Kind: Integer, Default: "3", Min: 0, Max: 100,
		Meaning: "How often a dead letter is sent back to its stage before it goes to the quarantine.",
		into:    func(s *Settings) any { return &s.MaxRedrives }},
	{Name: "SchemaUnknown", Key: "MILLRACE_SCHEMA_UNKNOWN", Kind: Choice, Default: SchemaAccept, Choices: []string{SchemaAccept, SchemaRefuse},
		Meaning: "What becomes of an event whose type has no schema: `accept` lets it pass unchecked, `refuse` treats it as bad.",
		into:    func(s *Settings) any { return &s.SchemaUnknown }},
	{Name: "HandlerConcurrency", Key: "MILLRACE_HANDLER_CONCURRENCY", Kind: Integer, Default: "1", Min: 1, Max: 1000,
		Meaning: "How many handlers with side effects run at once in one invocation. With 1 they run in the order of the batch.",
		into:    func(s *Settings) any { return &s.HandlerConcurrency }},
	{Name: "LatencyMetric", Key: "MILLRACE_LATENCY_METRIC", Kind: Choice, Default: LatencyValues, Choices: []string{LatencyValues, LatencyCounts},
		Meaning: "How EventLatency is written to CloudWatch: `values` is one number per event, 100 to a log line, as the specification of the embedded metric format has it; `counts` is one histogram per invocation, which is far smaller and accepted by CloudWatch, but is not in that specification.",
		into:    func(s *Settings) any { return &s.LatencyMetric }},
	{Name: "PseudonymKey", Key: "MILLRACE_PSEUDONYM_KEY", Kind: Key, Min: MinPseudonymKey, Max: 1024,
		Meaning: "Secret from which the pseudonyms of patients are made; keep it for good, since with another key a person gets another pseudonym. Without one, identifiers of persons are removed instead. Deployed functions read it from the secret `pseudonym-key`.",
		into:    func(s *Settings) any { return &s.PseudonymKey }},
}

var envName = &Pattern{regexp.MustCompile(`^[a-z][a-z0-9-]*[a-z0-9]$|^[a-z]$`), "lower-case letters, digits and - only, a letter first and no - last"}

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
		name, value, ok := strings.Cut(kv, "=")
		if ok && strings.HasPrefix(name, EnvPrefix) && !slices.Contains(notSettings, name) {
			given[name] = value
		}
	}
	errs = append(errs, fill(&s, Table, given, variable, false)...)
	if len(errs) == 0 && s.RetryBase > s.RetryMax {
		errs = append(errs, fmt.Errorf("MILLRACE_RETRY_BASE: %v is more than MILLRACE_RETRY_MAX, %v", s.RetryBase, s.RetryMax))
	}
	errs = append(errs, unknown(given, names(Table, variable), len(EnvPrefix))...)
	if len(errs) > 0 {
		return Settings{}, errors.Join(errs...)
	}
	return s, nil
}

func variable(row *Row[Settings]) string { return row.Key }

func names[S any](table []Row[S], name func(*Row[S]) string) []string {
	all := make([]string, len(table))
	for i := range table {
		all[i] = name(&table[i])
	}
	return all
}
