package lambdaio

import (
	"bytes"
	"fmt"
	"math"
	"strconv"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// FailedMessages reads a handler's answer to AppendSQSEvent as Lambda does. It returns one
// value per message; a message that did not fail may be deleted. err says why the whole
// batch counts as failed, when it does; then every value is true.
//
// No answer, null, {} and an empty or null list mean that all succeeded. An answer that is
// no such object, and an item whose identifier is unknown, empty or missing, fail the whole
// batch (AWS Lambda Developer Guide, "Implementing partial batch responses").
func FailedMessages(answer []byte, messages []queue.Received) (failed []bool, err error) {
	ids, err := readFailures(answer, func(s *scanner) string { return string(s.text()) })
	return markFailed(len(messages), ids, err, func(i int) string { return messages[i].ID })
}

// FailedRecords is FailedMessages for AppendKafkaEvent: of each partition, everything from
// the first failed offset on counts as failed, and everything before it may be committed.
func FailedRecords(answer []byte, records []KafkaRecord) (failed []bool, err error) {
	at := func(i int) position { return positionOf(&records[i].KafkaRecord) }
	positions, err := readFailures(answer, readPosition)
	failed, err = markFailed(len(records), positions, err, at)
	if len(positions) > 0 {
		failFollowing(failed, at)
	}
	return failed, err
}

// readPosition reads {"partition":"topic-0","offset":100}. What is missing or malformed
// makes a position that no record has.
func readPosition(s *scanner) position {
	p := position{partition: -1, offset: -1}
	for k, ok := s.firstKey(); ok; k, ok = s.nextKey() {
		switch string(k) {
		case "partition":
			// The topic may have a "-" too: the number follows the last.
			name := s.text()
			dash := bytes.LastIndexByte(name, '-')
			if number, err := strconv.ParseInt(string(name[dash+1:]), 10, 32); err == nil && dash >= 0 {
				p.topic, p.partition = string(name[:dash]), int32(number)
			}
		case "offset":
			p.offset = s.integer(math.MinInt64, math.MaxInt64)
		default:
			s.skip()
		}
	}
	return p
}

// readFailures reads the identifiers in an answer, each by the function identifier. A
// missing one is the zero value.
func readFailures[T any](answer []byte, identifier func(*scanner) T) (failures []T, err error) {
	s := &scanner{op: opAnswer, b: answer}
	if s.token(); s.i == len(answer) {
		return nil, nil
	}
	for k, ok := s.firstKey(); ok; k, ok = s.nextKey() {
		if string(k) != "batchItemFailures" {
			s.skip()
			continue
		}
		for ok := s.firstItem(); ok; ok = s.nextItem() {
			var id T
			for k, ok := s.firstKey(); ok; k, ok = s.nextKey() {
				if string(k) == "itemIdentifier" {
					id = identifier(s)
				} else {
					s.skip()
				}
			}
			failures = append(failures, id)
		}
	}
	s.end()
	return failures, s.err
}

// markFailed finds the failures among the n items of the batch; id is the i-th item's.
func markFailed[T comparable](n int, failures []T, err error, id func(i int) T) ([]bool, error) {
	failed := make([]bool, n)
	if err == nil && len(failures) == 0 {
		return failed, nil
	}
	items := make(map[T]bool, n) // whether it failed
	for i := range n {
		items[id(i)] = false
	}
	for _, f := range failures {
		var none T
		if _, known := items[f]; err == nil && (!known || f == none) {
			err = answerError("item %q is not in the batch, so the whole batch counts as failed", fmt.Sprint(f))
		}
		items[f] = true
	}
	for i := range failed {
		failed[i] = err != nil || items[id(i)]
	}
	return failed, err
}
