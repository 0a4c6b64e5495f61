//go:build integration

package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/google/uuid"

	"github.com/millrace-pipeline/millrace/shared/alarm"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// What `millrace alarms list` and `millrace slo` say of a deployed pipeline is what
// CloudWatch has: here the parts of a deployment that they look at, made by hand.
func TestIntegrationAlarmsOfADeployment(t *testing.T) {
	cfg := localStack(t)
	name := "al" + uuid.NewString()[:8]
	queues, watch := sqs.NewFromConfig(cfg), cloudwatch.NewFromConfig(cfg)
	q, err := queues.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String(spec.ResourceName(name, spec.Ingest))})
	if err != nil {
		t.Fatal(err)
	}
	breaker := spec.AlarmName(name, spec.Persist, "breaker-open")
	t.Cleanup(func() {
		_, err1 := queues.DeleteQueue(context.Background(), &sqs.DeleteQueueInput{QueueUrl: q.QueueUrl})
		_, err2 := watch.DeleteAlarms(context.Background(), &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{breaker}})
		if err := errors.Join(err1, err2); err != nil {
			t.Log(err)
		}
	})
	if out, errs, code := runCommand(t, time.Now(), "alarms", "list", "--target", targetLocalStack, "--env", name); code != exitFailure || !strings.Contains(errs, "has no alarms") {
		t.Errorf("a deployment without alarms: %d %s%s", code, out, errs)
	}

	a, _ := spec.AlarmByName("breaker-open")
	scope := a.When[0].Scope(spec.Persist, nil, 1)
	series := spec.Render(a.When[0].Value, scope).Series[0]
	var dimensions []types.Dimension
	for _, d := range series.Dimensions(name, "") {
		dimensions = append(dimensions, types.Dimension{Name: &d.Name, Value: &d.Value})
	}
	if _, err := watch.PutMetricAlarm(t.Context(), &cloudwatch.PutMetricAlarmInput{
		AlarmName: &breaker, Namespace: &series.Namespace, MetricName: &series.Metric, Dimensions: dimensions, Statistic: types.Statistic(series.Stat),
		Period: aws.Int32(60), EvaluationPeriods: aws.Int32(5), DatapointsToAlarm: aws.Int32(5), Threshold: aws.Float64(1),
		ComparisonOperator: types.ComparisonOperator(a.When[0].Compare), TreatMissingData: aws.String(string(spec.MissingKeeps)),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := watch.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{
		AlarmName: &breaker, StateValue: types.StateValueAlarm, StateReason: aws.String("test"),
		StateReasonData: aws.String(`{"evaluatedDatapoints":[{"timestamp":"2026-11-24T03:00:00.000+0000","value":1}]}`),
	}); err != nil {
		t.Fatal(err)
	}
	out, errs, code := runCommand(t, time.Now(), "alarms", "list", "--target", targetLocalStack, "--env", name, "--json")
	var list alarmsJSON
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != exitOK {
		t.Fatalf("%d %v %s%s", code, err, out, errs)
	}
	if len(list.Alarms) != 1 || list.Alarms[0].Alarm != "breaker-open" || list.Alarms[0].State != alarm.InAlarm || list.Alarms[0].Conditions[0].Value == nil {
		t.Errorf("got %s", out)
	}

	at := time.Now().Add(-30 * time.Minute)
	var data []types.MetricDatum
	for metric, v := range map[string]float64{spec.BatchSize: 10_000, spec.FailedEvents: 5} {
		own := spec.Series{Metric: metric, Stat: spec.Sum}.In(spec.Persist)
		datum := types.MetricDatum{MetricName: aws.String(metric), Timestamp: &at, Value: &v}
		for _, d := range own.Dimensions(name, "") {
			datum.Dimensions = append(datum.Dimensions, types.Dimension{Name: &d.Name, Value: &d.Value})
		}
		data = append(data, datum)
	}
	if _, err := watch.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String(spec.Namespace), MetricData: data}); err != nil {
		t.Fatal(err)
	}
	out, errs, code = runCommand(t, time.Now(), "slo", "--target", targetLocalStack, "--env", name, "--json")
	var slos struct{ SLOs []alarm.SLOStatus }
	if err := json.Unmarshal([]byte(out), &slos); err != nil || code != exitOK {
		t.Fatalf("%d %v %s%s", code, err, out, errs)
	}
	for _, s := range slos.SLOs {
		if s.Name == spec.SLOErrorRate && (s.Total != 10_000 || s.Bad != 5 || s.BudgetLeft == nil || *s.BudgetLeft < 49.9 || *s.BudgetLeft > 50.1) {
			t.Errorf("got %+v", s)
		}
	}
}
