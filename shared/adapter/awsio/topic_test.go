package awsio

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"pgregory.net/rapid"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// service is SNS as PublishBatch is documented: ten entries, 256 KiB, an answer per entry.
type service struct {
	mu    sync.Mutex
	taken map[string]bool
	fate  func(body string) string // "", "failed", "unmentioned", "request"
}

func (s *service) PublishBatch(_ context.Context, in *sns.PublishBatchInput, _ ...func(*sns.Options)) (*sns.PublishBatchOutput, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, out := 0, &sns.PublishBatchOutput{}
	for _, e := range in.PublishBatchRequestEntries {
		n += len(*e.Message)
		for name, v := range e.MessageAttributes {
			n += len(name) + len(*v.DataType) + len(*v.StringValue)
		}
	}
	if len(in.PublishBatchRequestEntries) > 10 || n > 256<<10 {
		return nil, errors.New("BatchRequestTooLong")
	}
	for _, e := range in.PublishBatchRequestEntries {
		switch s.fate(*e.Message) {
		case "request":
			return nil, errors.New("InternalError")
		case "failed":
			out.Failed = append(out.Failed, types.BatchResultErrorEntry{Id: e.Id, Code: aws.String("Throttled"), Message: aws.String("slow down")})
		case "unmentioned":
		default:
			s.taken[*e.Message] = true
			out.Successful = append(out.Successful, types.PublishBatchResultEntry{Id: e.Id})
		}
	}
	return out, nil
}

// panther requeue tool: the Failed entries of a batch were ignored and the originals
// deleted. Whatever the answer, no message reads as sent that was not taken.
func TestLessonFailedEntriesOfPublishBatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fates := map[string]string{}
		var msgs []queue.Message
		for i := range rapid.IntRange(0, 35).Draw(t, "messages") {
			body := fmt.Sprintf("%d %s", i, strings.Repeat("x", rapid.SampledFrom([]int{1, 900, 60 << 10, 200 << 10}).Draw(t, "bytes")))
			fates[body] = rapid.SampledFrom([]string{"", "", "", "failed", "unmentioned", "request"}).Draw(t, "fate")
			msgs = append(msgs, queue.Message{Body: []byte(body), Attributes: map[string]string{"count": "1"}})
		}
		s := &service{taken: map[string]bool{}, fate: func(b string) string { return fates[b] }}
		topic := Topic{Client: s, ARN: "arn:aws:sns:us-east-1:000000000000:t"}
		errs := topic.Send(context.Background(), msgs)
		if len(errs) != len(msgs) {
			t.Fatalf("%d results for %d messages", len(errs), len(msgs))
		}
		for i, m := range msgs {
			if errs[i] == nil && !s.taken[string(m.Body)] {
				t.Errorf("message %d reads as sent and was not taken (%s)", i, fates[string(m.Body)])
			}
			if errs[i] != nil && fates[string(m.Body)] == "" && !anyRequestFails(fates) {
				t.Errorf("message %d: %v", i, errs[i])
			}
		}
	})
}

func anyRequestFails(fates map[string]string) bool {
	for _, f := range fates {
		if f == "request" {
			return true
		}
	}
	return false
}

func TestTopicRefusesDelay(t *testing.T) {
	s := &service{taken: map[string]bool{}, fate: func(string) string { return "" }}
	topic := Topic{Client: s}
	errs := topic.Send(t.Context(), []queue.Message{{Body: []byte("a"), Delay: 1}, {Body: []byte("b")}})
	if errs[0] == nil || errs[1] != nil || !s.taken["b"] {
		t.Errorf("%v", errs)
	}
}
