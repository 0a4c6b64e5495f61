package spec

import (
	"slices"
	"testing"
)

func TestFunctionVars(t *testing.T) {
	for function, want := range map[string][]string{
		Ingest:  {"CLAIMS_BUCKET", "DLQ_URL", "NEXT_TOPIC_ARN", "QUEUE_URL"},
		Process: {"CLAIMS_BUCKET", "DLQ_URL", "MONGODB_URI_SECRET", "NEXT_TOPIC_ARN", "PSEUDONYM_KEY_SECRET", "QUEUE_URL"},
		Persist: {"CLAIMS_BUCKET", "DLQ_URL", "MONGODB_URI_SECRET", "QUEUE_URL"},
		Redrive: {"INGEST_DLQ_URL", "INGEST_QUEUE_URL", "PERSIST_DLQ_URL", "PERSIST_QUEUE_URL", "PERSIST_UNDELIVERED_URL",
			"PROCESS_DLQ_URL", "PROCESS_QUEUE_URL", "PROCESS_UNDELIVERED_URL", "QUARANTINE_URL"},
	} {
		if got := FunctionVars(function); !slices.Equal(got, want) {
			t.Errorf("%s: %v", function, got)
		}
	}
}
