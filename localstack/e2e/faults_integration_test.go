//go:build integration

package e2e

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/millrace-pipeline/millrace/localstack/harness/deployed"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// outage of MongoDB: as long as the driver waits for a primary by itself, and longer than
// several attempts at an event take.
const outage = 30 * time.Second

// faults: under load processes of every function are killed in the middle of invocations,
// SNS refuses half of what ingest publishes, Kafka restarts, and MongoDB is away. Nothing
// is lost, nothing is there twice, nothing is dead-lettered. The kills come first: what the
// killed held comes back minutes later.
func (d *deployment) faults(t *testing.T) {
	events := load{kafka: d.Kafka.Addr, topic: d.Topic, source: "/faults", perSecond: 400}.start(t)
	for _, function := range []string{spec.Ingest, spec.Process, spec.Persist} {
		d.killInMidInvocation(t, function)
	}
	t.Logf("functions killed after %d events", events.acked.Load())
	d.snsRefuses(t)
	restart(t, d.Kafka.Stop, d.Kafka.Start)
	t.Logf("Kafka restarted after %d events", events.acked.Load())
	if err := d.Mongo.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.passes(t, events, outage)
	if err := d.Mongo.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("MongoDB was away for %s, until %d events", outage, events.acked.Load())
	sent := events.stop()

	// What a killed function held, and what failed whole, comes back when the visibility
	// timeout of its queue ends.
	longest := 2 * spec.Stages[len(spec.Stages)-1].Visibility()
	d.awaitStored(t, "/faults", sent, longest)
	d.awaitIdle(t, longest)
	d.checkDerived(t)
	d.wantDead(t, 0)
	if n, err := d.Depth(t.Context(), spec.KafkaFailed); err != nil || n != 0 {
		t.Errorf("Lambda gave up on %d batches of Kafka records, %v", n, err)
	}
	t.Logf("%d events", sent)
}

func restart(t *testing.T, stop, start func(context.Context) error) {
	t.Helper()
	if err := stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// passes waits until a time has passed, and fails if the load stands still meanwhile: a
// fault that meets no events proves nothing.
func (d *deployment) passes(t *testing.T, events *running, atLeast time.Duration) {
	t.Helper()
	until, before := time.Now().Add(atLeast), events.acked.Load()
	deployed.Await(t, "the outage", 2*atLeast, func(context.Context) error {
		if left := time.Until(until); left > 0 {
			return fmt.Errorf("it lasts %s more", left)
		}
		if events.acked.Load() == before {
			return fmt.Errorf("no event since")
		}
		return nil
	})
}

// snsRefuses has ingest publish through flakySNS until that has refused some entries.
func (d *deployment) snsRefuses(t *testing.T) {
	t.Helper()
	sns := newFlakySNS(t, *d.AWS.BaseEndpoint)
	client := lambda.NewFromConfig(d.AWS)
	name := spec.ResourceName(d.Env, spec.Ingest)
	before := d.version(t, spec.Ingest)
	config, err := client.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	if err != nil {
		t.Fatal(err)
	}
	set := func(environment map[string]string) {
		t.Helper()
		_, err := client.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{
			FunctionName: &name, Environment: &types.Environment{Variables: environment},
		})
		if err == nil {
			err = lambda.NewFunctionUpdatedV2Waiter(client).Wait(t.Context(), &lambda.GetFunctionInput{FunctionName: &name}, time.Minute)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	through := maps.Clone(config.Environment.Variables)
	through["AWS_ENDPOINT_URL_SNS"] = sns.URL
	set(through)
	out, err := client.PublishVersion(t.Context(), &lambda.PublishVersionInput{FunctionName: &name})
	if err != nil {
		t.Fatal(err)
	}
	published, err := strconv.Atoi(aws.ToString(out.Version))
	if err != nil {
		t.Fatal(err)
	}
	d.setVersion(t, published)
	deployed.Await(t, "SNS refuses entries", time.Minute, func(context.Context) error {
		if n := sns.refused.Load(); n < 20 {
			return fmt.Errorf("%d of %d refused", n, sns.entries.Load())
		}
		return nil
	})
	d.setVersion(t, before)
	set(config.Environment.Variables)
	d.awaitVersion(t, spec.Ingest, before)
	t.Logf("SNS refused %d of %d entries", sns.refused.Load(), sns.entries.Load())
}

// setVersion moves the alias of ingest to a version.
func (d *deployment) setVersion(t *testing.T, version int) {
	t.Helper()
	if err := d.Function(spec.Ingest).SetVersion(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}

// killInMidInvocation kills the processes of a function, while there is work for it, again
// and again until an invocation has died of it.
func (d *deployment) killInMidInvocation(t *testing.T, function string) {
	t.Helper()
	before, err := d.failedInvocations(t.Context(), function)
	if err != nil {
		t.Fatal(err)
	}
	kills := 0
	deployed.Await(t, "an invocation of "+function+" is killed", 2*time.Minute, func(ctx context.Context) error {
		if err := d.works(ctx, function); err != nil {
			return err
		}
		for _, p := range d.Processes(function) {
			if err := p.Kill(); err == nil { // else it has ended since
				kills++
			}
		}
		failed, err := d.failedInvocations(ctx, function)
		if err == nil && failed <= before {
			err = fmt.Errorf("%d processes were killed, all between two invocations", kills)
		}
		return err
	})
	t.Logf("%s: %d processes killed", function, kills)
}

// failedInvocations of a function in the last hour.
func (d *deployment) failedInvocations(ctx context.Context, function string) (float64, error) {
	now := time.Now()
	out, err := cloudwatch.NewFromConfig(d.AWS).GetMetricStatistics(ctx, &cloudwatch.GetMetricStatisticsInput{
		Namespace: aws.String("AWS/Lambda"), MetricName: aws.String("Errors"),
		Dimensions: []cwtypes.Dimension{{Name: aws.String("FunctionName"), Value: aws.String(spec.ResourceName(d.Env, function))}},
		StartTime:  aws.Time(now.Add(-time.Hour)), EndTime: aws.Time(now.Add(time.Minute)),
		Period: aws.Int32(60), Statistics: []cwtypes.Statistic{cwtypes.StatisticSum},
	})
	if err != nil {
		return 0, err
	}
	failed := 0.0
	for _, p := range out.Datapoints {
		failed += aws.ToFloat64(p.Sum)
	}
	return failed, nil
}

func (d *deployment) works(ctx context.Context, function string) error {
	if function == spec.Ingest {
		lag, err := d.Lag(ctx)
		if err == nil && lag == 0 {
			err = fmt.Errorf("it does not lag behind")
		}
		return err
	}
	depths, err := d.Broker().Depths(ctx, function)
	if err == nil && depths[function].InFlight == 0 {
		err = fmt.Errorf("no message is in flight")
	}
	return err
}
