package lambdaio

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// AppendSQSEvent appends the payload that Lambda's poller sends for the messages of the
// queue, as many from the first on as MaxPayload allows, and at least one; n says how
// many. It leaves out what nothing here reads: the MD5 sums and the sender.
//
// dst may be a buffer used before, once nothing uses a body of the invocation that it
// was sent to (the package's comment, "Who owns the bytes").
func AppendSQSEvent(dst []byte, queueARN string, messages []queue.Received) (payload []byte, n int) {
	return appendSQSEvent(dst, queueARN, messages, MaxPayload)
}

func appendSQSEvent(dst []byte, queueARN string, messages []queue.Received, limit int) ([]byte, int) {
	const open, end = `{"Records":[`, `]}`
	limit += len(dst) - len(end)
	tail := sqsTail(queueARN)
	dst = append(dst, open...)
	for i := range messages {
		before := len(dst)
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendMessage(dst, &messages[i]), tail...)
		if i > 0 && len(dst) > limit {
			return append(dst[:before], end...), i
		}
	}
	return append(dst, end...), len(messages)
}

// sqsTail is the end of every record of a queue.
func sqsTail(arn string) string {
	b := append([]byte(`,"eventSource":"aws:sqs","eventSourceARN":`), appendString(nil, arn)...)
	if parts := strings.Split(arn, ":"); len(parts) > 3 { // arn:aws:sqs:<region>:<account>:<name>
		b = appendString(append(b, `,"awsRegion":`...), parts[3])
	}
	return string(append(b, '}'))
}

func appendMessage(b []byte, m *queue.Received) []byte {
	b = appendString(append(b, `{"messageId":`...), m.ID)
	b = appendString(append(b, `,"receiptHandle":`...), m.Receipt)
	b = appendString(append(b, `,"body":`...), view(m.Body))
	b = strconv.AppendInt(append(b, `,"attributes":{"ApproximateReceiveCount":"`...), int64(m.ReceiveCount), 10)
	b = appendMillis(append(b, `","SentTimestamp":"`...), m.Sent)
	b = appendMillis(append(b, `","ApproximateFirstReceiveTimestamp":"`...), m.FirstReceive)
	b = append(b, `"},"messageAttributes":{`...)
	separator := ""
	for _, name := range slices.Sorted(maps.Keys(m.Attributes)) {
		b = appendString(append(b, separator...), name)
		b = appendString(append(b, `:{"stringValue":`...), m.Attributes[name])
		b = append(b, `,"dataType":"String"}`...)
		separator = ","
	}
	return append(b, '}')
}

// appendMillis appends t in milliseconds since 1970; 0 for the zero time.
func appendMillis(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return append(b, '0')
	}
	return strconv.AppendInt(b, t.UnixMilli(), 10)
}
