package lambdaio

import (
	"strconv"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/pipeline"
)

// Answer makes what the handler returns to the event source of Kafka or SQS out of what
// pipeline.Runner.Run returned. It takes both values, so that the call reads
//
//	return in.Answer(runner.Run(ctx, in.Batch(ctx)))
//
// and an error cannot be answered with a list of failures: an empty one acknowledges the
// whole batch (powertools-lambda-typescript #5624). With an error, or with a result that
// does not fit the invocation, there is no answer, and Lambda acknowledges nothing.
//
// The answer is the partial batch response: every delivery that is not in it is
// acknowledged. Of a Kafka partition it has the first failed offset and everything after
// it (rule 7), also where the result lists only the first.
func (in *Invocation) Answer(r pipeline.Result, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	if in.Kind != Kafka && in.Kind != SQS {
		return nil, answerError("an invocation of kind %q has no batch to answer for", in.Kind)
	}
	failed := make([]bool, len(in.Deliveries))
	for _, i := range r.Failed {
		if i < 0 || i >= len(failed) {
			return nil, answerError("delivery %d of %d is said to have failed", i, len(failed))
		}
		failed[i] = true
	}
	if in.Kind == Kafka && len(r.Failed) > 0 {
		failFollowing(failed, func(i int) position { return positionOf(in.Deliveries[i].Kafka) })
	}
	return in.appendFailures(nil, failed), nil
}

// appendFailures is {"batchItemFailures":[{"itemIdentifier":…} …]}. The identifier is the
// message id of SQS; of Kafka it is {"partition":"<topic>-<number>","offset":<offset>}
// (AWS Lambda Developer Guide, "Implementing partial batch responses" and "Configuring
// error handling controls for Kafka event sources").
func (in *Invocation) appendFailures(b []byte, failed []bool) []byte {
	b = append(b, `{"batchItemFailures":[`...)
	separator := ""
	for i, is := range failed {
		if !is {
			continue
		}
		b = append(b, separator...)
		b = append(b, `{"itemIdentifier":`...)
		if d := &in.Deliveries[i]; d.Kafka == nil {
			b = appendString(b, d.ID)
		} else {
			b = append(b, `{"partition":`...)
			b = appendPartition(b, d.Kafka.Topic, d.Kafka.Partition)
			b = append(b, `,"offset":`...)
			b = append(strconv.AppendInt(b, d.Kafka.Offset, 10), '}')
		}
		b = append(b, '}')
		separator = ","
	}
	return append(b, "]}"...)
}

// position is a record's place in Kafka.
type position struct {
	topic     string
	partition int32
	offset    int64
}

func (p position) String() string {
	return p.topic + "-" + strconv.Itoa(int(p.partition)) + "@" + strconv.FormatInt(p.offset, 10)
}

func positionOf(r *pipeline.KafkaRecord) position {
	return position{r.Topic, r.Partition, r.Offset}
}

// failFollowing extends the failures to everything in the partition after the first of
// them; at is the position of the i-th record.
func failFollowing(failed []bool, at func(i int) position) {
	first := make(map[position]int64) // by the partition's position at offset 0
	for i, is := range failed {
		if !is {
			continue
		}
		p := at(i)
		offset := p.offset
		p.offset = 0
		if least, ok := first[p]; !ok || offset < least {
			first[p] = offset
		}
	}
	for i := range failed {
		p := at(i)
		offset := p.offset
		p.offset = 0
		if least, ok := first[p]; ok && offset >= least {
			failed[i] = true
		}
	}
}

func answerError(format string, args ...any) error {
	err := fault.New(fault.Bug, format, args...)
	err.Op = "batch response"
	return err
}
