package awsio

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// AlarmState is an alarm as CloudWatch describes it: a metric alarm, or a composite one
// with its Rule.
type AlarmState struct {
	Name        string
	State       string // ALARM, OK or INSUFFICIENT_DATA
	Since       time.Time
	Rule        string
	Reason      string
	ReasonData  string
	Description string
	Comparison  string
	Threshold   *float64
}

// Alarms describes alarms of CloudWatch.
type Alarms struct{ Client *cloudwatch.Client }

// maxDescribe is the most names of one request (Amazon CloudWatch API reference,
// DescribeAlarms, AlarmNames).
const maxDescribe = 100

// Describe returns the alarms of these names, composite ones included. One that does not
// exist is left out.
//
// DescribeAlarms returns composite alarms only to those who may call it on all alarms:
// the permission cloudwatch:DescribeAlarms on "*" (its API reference).
func (a *Alarms) Describe(ctx context.Context, names []string) ([]AlarmState, error) {
	var all []AlarmState
	for part := range slices.Chunk(names, maxDescribe) {
		pages := cloudwatch.NewDescribeAlarmsPaginator(a.Client, &cloudwatch.DescribeAlarmsInput{
			AlarmNames: part, AlarmTypes: []types.AlarmType{types.AlarmTypeMetricAlarm, types.AlarmTypeCompositeAlarm},
		})
		for pages.HasMorePages() {
			out, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("describe alarms: %w", err)
			}
			for i := range out.MetricAlarms {
				all = append(all, metricAlarm(&out.MetricAlarms[i]))
			}
			for i := range out.CompositeAlarms {
				all = append(all, compositeAlarm(&out.CompositeAlarms[i]))
			}
		}
	}
	return all, nil
}

func metricAlarm(m *types.MetricAlarm) AlarmState {
	return AlarmState{
		Name: aws.ToString(m.AlarmName), State: string(m.StateValue), Since: aws.ToTime(m.StateTransitionedTimestamp),
		Reason: aws.ToString(m.StateReason), ReasonData: aws.ToString(m.StateReasonData), Description: aws.ToString(m.AlarmDescription),
		Comparison: string(m.ComparisonOperator), Threshold: m.Threshold,
	}
}

func compositeAlarm(c *types.CompositeAlarm) AlarmState {
	return AlarmState{
		Name: aws.ToString(c.AlarmName), State: string(c.StateValue), Since: aws.ToTime(c.StateTransitionedTimestamp), Rule: aws.ToString(c.AlarmRule),
		Reason: aws.ToString(c.StateReason), ReasonData: aws.ToString(c.StateReasonData), Description: aws.ToString(c.AlarmDescription),
	}
}
