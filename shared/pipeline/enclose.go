package pipeline

import (
	"context"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// Enclose makes the message that brings a Kafka record to the queue of its stage: an
// envelope as a dead letter of that record would have it, so that the stage reads the record
// as if it came from Kafka. An envelope of more than claimOver bytes travels by claim check;
// 0 is no limit.
func Enclose(ctx context.Context, d *Delivery, claims Claims, claimOver int) (queue.Message, error) {
	body, err := seal(d, d.Body)
	if err != nil {
		return queue.Message{}, err
	}
	a := d.Attrs
	a.ContentType, a.Encoding = ContentTypeEnvelope, ""
	body, a, err = checkIn(ctx, body, a, claims, claimOver)
	return queue.Message{Body: body, Attributes: a.Map()}, err
}
