package lambdaio

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/pipeline"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

func sqsInvocation(ids ...string) *Invocation {
	in := &Invocation{Kind: SQS}
	for _, id := range ids {
		in.Deliveries = append(in.Deliveries, pipeline.Delivery{ID: id})
	}
	return in
}

func kafkaInvocation(records ...KafkaRecord) *Invocation {
	in := &Invocation{Kind: Kafka}
	for _, r := range records {
		in.Deliveries = append(in.Deliveries, r.delivery())
	}
	return in
}

func TestAnswer(t *testing.T) {
	kafka := kafkaInvocation(kafkaRecord("a-b", 0, 7), kafkaRecord("a-b", 0, 8), kafkaRecord("a-b", 0, 9), kafkaRecord("a-b", 1, 8))
	tests := map[string]struct {
		in     *Invocation
		failed []int
		want   string
	}{
		"sqs, all done":         {sqsInvocation("a", "b"), nil, `{"batchItemFailures":[]}`},
		"sqs, one failed":       {sqsInvocation("a", "b"), []int{1}, `{"batchItemFailures":[{"itemIdentifier":"b"}]}`},
		"sqs, all failed":       {sqsInvocation("a", "b"), []int{0, 1}, `{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"b"}]}`},
		"sqs, id to be escaped": {sqsInvocation(`a"`), []int{0}, `{"batchItemFailures":[{"itemIdentifier":"a\""}]}`},
		"kafka, all done":       {kafka, nil, `{"batchItemFailures":[]}`},
		"kafka, last of a partition": {kafka, []int{2},
			`{"batchItemFailures":[{"itemIdentifier":{"partition":"a-b-0","offset":9}}]}`},
		"kafka, everything after it (rule 7)": {kafka, []int{1},
			`{"batchItemFailures":[{"itemIdentifier":{"partition":"a-b-0","offset":8}},{"itemIdentifier":{"partition":"a-b-0","offset":9}}]}`},
		"kafka, as the runner reports it": {kafka, []int{1, 2},
			`{"batchItemFailures":[{"itemIdentifier":{"partition":"a-b-0","offset":8}},{"itemIdentifier":{"partition":"a-b-0","offset":9}}]}`},
	}
	for name, tt := range tests {
		got, err := tt.in.Answer(pipeline.Result{Failed: tt.failed}, nil)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
	}
}

// A batch that failed as a whole was answered with an empty list, which acknowledges
// everything (powertools-lambda-typescript #5624). Here an error leaves no answer at all,
// whatever the result beside it says.
func TestLessonFullBatchFailureIsNeverAnEmptyList(t *testing.T) {
	boom := errors.New("boom")
	for _, in := range []*Invocation{sqsInvocation("a", "b"), kafkaInvocation(kafkaRecord("t", 0, 1))} {
		for _, r := range []pipeline.Result{{}, {Failed: []int{}}, {Failed: []int{0}}} {
			answer, err := in.Answer(r, boom)
			if answer != nil || !errors.Is(err, boom) {
				t.Errorf("%s, %v: answer %s, error %v", in.Kind, r, answer, err)
			}
		}
		all := make([]int, len(in.Deliveries))
		for i := range all {
			all[i] = i
		}
		answer, err := in.Answer(pipeline.Result{Failed: all}, nil)
		var e events.SQSEventResponse
		var list struct {
			BatchItemFailures []json.RawMessage `json:"batchItemFailures"`
		}
		if err != nil || json.Unmarshal(answer, &list) != nil || len(list.BatchItemFailures) != len(all) {
			t.Errorf("%s, all failed one by one: %s, %v", in.Kind, answer, err)
		}
		if in.Kind == SQS && (json.Unmarshal(answer, &e) != nil || len(e.BatchItemFailures) != 2) {
			t.Errorf("aws-lambda-go reads %+v", e)
		}
	}
}

// A result of another batch must not acknowledge this one.
func TestAnswerRefusesAResultThatDoesNotFit(t *testing.T) {
	for _, failed := range [][]int{{2}, {-1}, {0, 5}} {
		if answer, err := sqsInvocation("a", "b").Answer(pipeline.Result{Failed: failed}, nil); answer != nil || err == nil {
			t.Errorf("%v: answer %s, error %v", failed, answer, err)
		}
	}
	for _, kind := range []Kind{HTTP, Schedule, Direct} {
		if answer, err := (&Invocation{Kind: kind}).Answer(pipeline.Result{}, nil); answer != nil || err == nil {
			t.Errorf("%s: answer %s, error %v", kind, answer, err)
		}
	}
}

func TestFailedMessages(t *testing.T) {
	messages := []queue.Received{{ID: "a"}, {ID: "b"}, {ID: "a"}} // delivered twice in one batch
	tests := map[string]struct {
		answer string
		failed []bool
	}{
		"no answer":      {``, []bool{false, false, false}},
		"white space":    {" \n", []bool{false, false, false}},
		"null":           {`null`, []bool{false, false, false}},
		"empty object":   {`{}`, []bool{false, false, false}},
		"null list":      {`{"batchItemFailures":null}`, []bool{false, false, false}},
		"empty list":     {`{"batchItemFailures":[]}`, []bool{false, false, false}},
		"other members":  {`{"statusCode":200}`, []bool{false, false, false}},
		"one":            {`{"batchItemFailures":[{"itemIdentifier":"b"}]}`, []bool{false, true, false}},
		"one, twice":     {`{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"b"}]}`, []bool{false, true, false}},
		"both receives":  {`{"batchItemFailures":[{"itemIdentifier":"a"}]}`, []bool{true, false, true}},
		"white space in": {"{ \"batchItemFailures\" : [ { \"itemIdentifier\" : \"b\" } ] }\n", []bool{false, true, false}},
	}
	for name, tt := range tests {
		failed, err := FailedMessages([]byte(tt.answer), messages)
		if err != nil || !slices.Equal(failed, tt.failed) {
			t.Errorf("%s: %v, %v", name, failed, err)
		}
	}
}

// wholeBatch are answers that Lambda reads as the failure of everything.
var wholeBatch = map[string]string{
	"unknown id":         `{"batchItemFailures":[{"itemIdentifier":"x"}]}`,
	"known and unknown":  `{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"x"}]}`,
	"empty id":           `{"batchItemFailures":[{"itemIdentifier":""}]}`,
	"null id":            `{"batchItemFailures":[{"itemIdentifier":null}]}`,
	"bad name":           `{"batchItemFailures":[{"itemId":"a"}]}`,
	"no name":            `{"batchItemFailures":[{}]}`,
	"null item":          `{"batchItemFailures":[null]}`,
	"item not an object": `{"batchItemFailures":["a"]}`,
	"list not an array":  `{"batchItemFailures":"a"}`,
	"number":             `{"batchItemFailures":[{"itemIdentifier":7}]}`,
	"kafka's for sqs's":  `{"batchItemFailures":[{"itemIdentifier":{"partition":"a-0","offset":1}}]}`,
	"not JSON":           `{"batchItemFailures":[`,
	"text":               `"ok"`,
	"array":              `[]`,
	"two values":         `{}{}`,
}

// Lesson: an unknown or empty identifier fails the whole batch in Lambda. A reader that
// ignores it deletes messages that nobody has dealt with.
func TestLessonUnknownItemFailsTheWholeBatch(t *testing.T) {
	for name, answer := range wholeBatch {
		failed, err := FailedMessages([]byte(answer), []queue.Received{{ID: "a"}, {ID: "b"}})
		if err == nil || !slices.Equal(failed, []bool{true, true}) {
			t.Errorf("%s: %v, %v", name, failed, err)
		}
		failed, err = FailedRecords([]byte(answer), []KafkaRecord{kafkaRecord("t", 0, 1), kafkaRecord("t", 0, 2)})
		if err == nil || !slices.Equal(failed, []bool{true, true}) {
			t.Errorf("%s, kafka: %v, %v", name, failed, err)
		}
	}
	for name, id := range map[string]string{
		"other partition": `{"partition":"t-1","offset":1}`,
		"other offset":    `{"partition":"t-0","offset":3}`,
		"no number":       `{"partition":"t","offset":1}`,
		"no offset":       `{"partition":"t-0"}`,
		"no partition":    `{"offset":1}`,
		"empty":           `{}`,
		"text":            `"t-0@1"`,
		"big partition":   `{"partition":"t-4294967296","offset":1}`,
	} {
		answer := `{"batchItemFailures":[{"itemIdentifier":` + id + `}]}`
		failed, err := FailedRecords([]byte(answer), []KafkaRecord{kafkaRecord("t", 0, 1), kafkaRecord("t", 0, 2)})
		if err == nil || !slices.Equal(failed, []bool{true, true}) {
			t.Errorf("%s: %v, %v", name, failed, err)
		}
	}
	// A message without an id must not match an empty identifier.
	if failed, err := FailedMessages([]byte(wholeBatch["empty id"]), []queue.Received{{}, {ID: "b"}}); err == nil || !failed[1] {
		t.Errorf("empty id of a message: %v, %v", failed, err)
	}
}

func TestFailedRecords(t *testing.T) {
	records := []KafkaRecord{kafkaRecord("a-b", 0, 7), kafkaRecord("a-b", 0, 8), kafkaRecord("a-b", 0, 9), kafkaRecord("a-b", 1, 8)}
	for answer, want := range map[string][]bool{
		``:                         {false, false, false, false},
		`{"batchItemFailures":[]}`: {false, false, false, false},
		`{"batchItemFailures":[{"itemIdentifier":{"partition":"a-b-0","offset":8}}]}`:                                                     {false, true, true, false},
		`{"batchItemFailures":[{"itemIdentifier":{"offset":9,"partition":"a-b-0"}},{"itemIdentifier":{"partition":"a-b-0","offset":8}}]}`: {false, true, true, false},
		`{"batchItemFailures":[{"itemIdentifier":{"partition":"a-b-1","offset":8}}]}`:                                                     {false, false, false, true},
	} {
		failed, err := FailedRecords([]byte(answer), records)
		if err != nil || !slices.Equal(failed, want) {
			t.Errorf("%s: %v, %v", answer, failed, err)
		}
	}
}

// TestAnswerRoundTrip: what the runner says failed arrives at the poller, and of a Kafka
// partition nothing after it counts as done.
func TestAnswerRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		records, messages := genRecords(t), genMessages(t)
		ids := make([]string, len(messages))
		for i, m := range messages {
			ids[i] = m.ID
		}
		want := make([]bool, len(messages))
		answer, err := sqsInvocation(ids...).Answer(pipeline.Result{Failed: drawFailed(t, want)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := FailedMessages(answer, messages); err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %v, %v, want %v from %s", got, err, want, answer)
		}

		want = make([]bool, len(records))
		answer, err = kafkaInvocation(records...).Answer(pipeline.Result{Failed: drawFailed(t, want)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i < len(records); i++ {
			same := records[i].Topic == records[i-1].Topic && records[i].Partition == records[i-1].Partition
			want[i] = want[i] || same && want[i-1]
		}
		if got, err := FailedRecords(answer, records); err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %v, %v, want %v from %s", got, err, want, answer)
		}
	})
}

// drawFailed draws which of the batch failed, into failed and as indexes.
func drawFailed(t *rapid.T, failed []bool) (indexes []int) {
	for i := range failed {
		if failed[i] = rapid.Bool().Draw(t, "failed"); failed[i] {
			indexes = append(indexes, i)
		}
	}
	return indexes
}
