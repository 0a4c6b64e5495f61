// Package awsio is the AWS side of the pipeline: SNS topics to publish to, SQS queues,
// a bucket for claim checks, secrets, and recorded metrics. The same code talks to
// LocalStack (AWS_ENDPOINT_URL).
package awsio

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// text is a body as the SDK takes it, without a copy. The SDK only reads it, and the
// caller leaves it alone until the call returns (queue.Message).
func text(b []byte) *string {
	return aws.String(unsafe.String(unsafe.SliceData(b), len(b)))
}

// chunk is a run of messages that goes into one batch request.
type chunk struct{ first, end int }

// chunks cuts messages into batches of at most ten entries and maxBytes. A message that
// alone is larger has a chunk to itself: the service refuses it, and only it.
func chunks(msgs []queue.Message, maxBytes int) []chunk {
	var out []chunk
	size := 0
	for i := range msgs {
		n := msgs[i].Size()
		last := len(out) - 1
		if last < 0 || i-out[last].first == queue.MaxBatch || size+n > maxBytes {
			out = append(out, chunk{first: i})
			last++
			size = 0
		}
		size += n
		out[last].end = i + 1
	}
	return out
}

// stringType is the type of every attribute that we send.
const stringType = "String"

// entryError is why one entry of a batch was not taken.
func entryError(code, message *string) error {
	return fmt.Errorf("%s: %s", aws.ToString(code), aws.ToString(message))
}

// errNotMentioned is the error of an entry that a batch's answer does not mention: it
// counts as not taken.
var errNotMentioned = errors.New("the answer does not mention this entry")
