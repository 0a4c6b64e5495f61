package embedded

import (
	"context"
	"errors"
	"time"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/metric"
	"github.com/millrace-pipeline/millrace/shared/monitor"
	"github.com/millrace-pipeline/millrace/shared/queue"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// monitorEvery is short enough that each minute has a value, whenever in it the process
// was started.
const monitorEvery = spec.MonitorEvery / 2

// monitor does what the function monitor and AWS itself measure on AWS: the dependencies,
// and the queues.
func (p *Pipeline) monitor(ctx context.Context) {
	k := &kafkaHealth{kafkaio.Watch{Config: p.kafka.config, Group: p.o.Kafka.Group, Topic: p.o.Kafka.Topic}}
	k.Config.ClientID = "millrace-monitor"
	defer k.Close()
	m := &monitor.Monitor{Kafka: k, Store: p.data.Events, Emit: p.emit, Now: p.o.Now}
	failing := false
	tick := time.NewTicker(monitorEvery)
	defer tick.Stop()
	for {
		err := errors.Join(m.Measure(ctx), p.measureQueues(ctx))
		if err != nil && !failing && ctx.Err() == nil {
			p.o.Log.Error("not everything could be measured", "error", err)
		}
		failing = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *Pipeline) emit(stage string, _ time.Time, readings []metric.Reading) error {
	var errs []error
	for _, r := range readings {
		errs = append(errs, p.metrics.Add(r.Metric.Name, stage, r.Value))
	}
	return errors.Join(errs...)
}

// measureQueues measures the queues as SQS does.
func (p *Pipeline) measureQueues(ctx context.Context) error {
	depths, err := p.data.Queues.Depths(ctx, queueNames()...)
	if err != nil {
		return err
	}
	var errs []error
	for name, d := range depths {
		for metric, v := range sqsMetrics(d) {
			errs = append(errs, p.metrics.Add(spec.AWSMetric{Namespace: spec.AWSSQS, Name: metric}.Key(), name, v))
		}
	}
	return errors.Join(errs...)
}

func sqsMetrics(d queue.Depth) map[string]float64 {
	return map[string]float64{
		"ApproximateAgeOfOldestMessage":         d.Oldest.Seconds(),
		"ApproximateNumberOfMessagesVisible":    float64(d.Visible),
		"ApproximateNumberOfMessagesNotVisible": float64(d.InFlight),
	}
}

// counted measures the invocations of a handler as Lambda does.
func (p *Pipeline) counted(stage string, h lambdaio.Handler) lambdaio.Handler {
	invocations := spec.AWSMetric{Namespace: spec.AWSLambda, Name: "Invocations"}.Key()
	failures := spec.AWSMetric{Namespace: spec.AWSLambda, Name: "Errors"}.Key()
	return func(ctx context.Context, payload []byte) ([]byte, error) {
		answer, err := h(ctx, payload)
		failed := 0.0
		if err != nil {
			failed = 1
		}
		// The names are those of the table: no error.
		_ = p.metrics.Add(invocations, stage, 1)
		_ = p.metrics.Add(failures, stage, failed)
		return answer, err
	}
}

// kafkaHealth is a monitor.Kafka.
type kafkaHealth struct{ kafkaio.Watch }

// Health implements monitor.Kafka.
func (k *kafkaHealth) Health(ctx context.Context) (monitor.KafkaHealth, error) {
	h, err := k.Watch.Health(ctx)
	return monitor.KafkaHealth(h), err
}
