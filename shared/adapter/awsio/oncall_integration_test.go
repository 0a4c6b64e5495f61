//go:build integration

package awsio_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"

	"github.com/millrace-pipeline/millrace/localstack/harness"
	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/oncall/oncalltest"
)

func TestIntegrationObject(t *testing.T) {
	cfg := harness.AWS(t)
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	bucket, key := "millrace-object-"+uuid.NewString(), "on-call/open.json"
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatal(err)
	}
	oncalltest.TestObject(t, func(*testing.T) oncalltest.Object { return awsio.NewObject(cfg, bucket, key) })

	// One that somebody deleted meanwhile is not written over what is not there.
	o := awsio.NewObject(cfg, bucket, key)
	_, version, err := o.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket, Key: &key}); err != nil {
		t.Fatal(err)
	}
	if saved, err := o.Save(t.Context(), []byte("x"), version); saved || err != nil {
		t.Errorf("%v %v", saved, err)
	}
	if _, err := client.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &bucket}); err != nil {
		t.Error(err)
	}
	if _, _, err := o.Load(t.Context()); err == nil {
		t.Error("without the bucket, the object reads as one that is not there yet")
	}
}

func TestIntegrationDescribeAlarms(t *testing.T) {
	cfg := harness.AWS(t)
	client := cloudwatch.NewFromConfig(cfg)
	prefix := "millrace-describe-" + uuid.NewString()
	var names []string
	for i := range 101 { // more than one request takes
		name := fmt.Sprintf("%s-%d", prefix, i)
		if _, err := client.PutMetricAlarm(t.Context(), &cloudwatch.PutMetricAlarmInput{
			AlarmName: &name, Namespace: aws.String("Millrace"), MetricName: aws.String("None"), Statistic: types.StatisticSum, Period: aws.Int32(60),
			EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(5), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold, TreatMissingData: aws.String("ignore"),
		}); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	composite := prefix + "-all"
	rule := fmt.Sprintf("ALARM(%q)", names[0])
	if _, err := client.PutCompositeAlarm(t.Context(), &cloudwatch.PutCompositeAlarmInput{AlarmName: &composite, AlarmRule: &rule}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, part := range [][]string{{composite}, names[:100], names[100:]} {
			if _, err := client.DeleteAlarms(context.Background(), &cloudwatch.DeleteAlarmsInput{AlarmNames: part}); err != nil {
				t.Log(err)
			}
		}
	})
	data := `{"recentDatapoints":[7.5],"threshold":5}`
	if _, err := client.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{
		AlarmName: &names[0], StateValue: types.StateValueAlarm, StateReason: aws.String("test"), StateReasonData: &data,
	}); err != nil {
		t.Fatal(err)
	}
	list, err := (&awsio.Alarms{Client: client}).Describe(t.Context(), append([]string{composite, "none-such"}, names...))
	if err != nil || len(list) != 102 {
		t.Fatalf("%d alarms, %v", len(list), err)
	}
	for _, a := range list {
		switch {
		case a.Name == composite && (a.Rule != rule || a.State != "ALARM" || a.Since.IsZero()):
			t.Errorf("%+v", a)
		case a.Name == names[0] && (a.State != "ALARM" || a.ReasonData == "" || *a.Threshold != 5 || a.Comparison != "GreaterThanThreshold" || a.Rule != ""):
			t.Errorf("%+v", a)
		}
	}
}
