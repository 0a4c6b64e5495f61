package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/alarm"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// alarms implements alarmed: what CloudWatch says. An alarm that the deployment does not
// have, since it has no use for it, is left out.
func (t *deployedTarget) alarms(ctx context.Context, history int) (s alarmStates, err error) {
	f, err := t.find(ctx)
	if err != nil {
		return s, err
	}
	client := cloudwatch.NewFromConfig(f.cfg)
	states, err := (&awsio.Alarms{Client: client}).Describe(ctx, alarmNamesIn(f.Env))
	if err != nil {
		return s, err
	}
	by := make(map[string]*awsio.AlarmState, len(states))
	for i := range states {
		by[states[i].Name] = &states[i]
	}
	for _, a := range spec.Alarms {
		for _, stage := range a.Stages {
			if st, ok := deployedStatus(f.Env, stage, a, by); ok {
				s.statuses = append(s.statuses, st)
			}
		}
	}
	if len(s.statuses) == 0 {
		return s, fmt.Errorf("%s has no alarms: deploy it again with a version that has them", f.String())
	}
	if history > 0 {
		s.remark = fmt.Sprintf("the history of a deployed pipeline is in CloudWatch: `aws cloudwatch describe-alarm-history --alarm-name %s`", s.firstName(f.Env))
	}
	return s, nil
}

// firstName of an alarm in CloudWatch, as an example.
func (s *alarmStates) firstName(env string) string {
	return spec.AlarmName(env, s.statuses[0].Stage, s.statuses[0].Alarm)
}

// alarmNamesIn an environment are all names that alarms and their conditions can have.
func alarmNamesIn(env string) []string {
	var names []string
	for _, a := range spec.Alarms {
		for _, stage := range a.Stages {
			if len(a.When) > 1 {
				names = append(names, spec.AlarmName(env, stage, a.Name))
			}
			for _, c := range a.When {
				names = append(names, spec.ConditionName(env, stage, a.Name, c.Name))
			}
		}
	}
	return names
}

// deployedStatus of an alarm of a stage; ok is false where CloudWatch does not have it.
func deployedStatus(env, stage string, a spec.Alarm, by map[string]*awsio.AlarmState) (s alarm.Status, ok bool) {
	whole, ok := by[spec.AlarmName(env, stage, a.Name)]
	if !ok {
		return s, false
	}
	s = alarm.Status{
		Alarm: a.Name, Stage: stage, Severity: a.Severity, State: alarm.State(whole.State), Since: whole.Since,
		Measured: true, Command: a.Command,
	}
	for _, c := range a.When {
		status := alarm.ConditionStatus{Name: c.Name, State: alarm.Insufficient, Threshold: c.Limit(c.Scope(stage, nil, 1))}
		if m := by[spec.ConditionName(env, stage, a.Name, c.Name)]; m != nil {
			status.State, status.Value = alarm.State(m.State), lastValue(m.ReasonData)
			if m.Threshold != nil {
				status.Threshold = *m.Threshold
			}
		}
		s.Conditions = append(s.Conditions, status)
	}
	return s, true
}

// lastValue that CloudWatch judged when the state of an alarm changed, as it says in
// StateReasonData; nil without one.
func lastValue(reasonData string) *float64 {
	var data struct {
		EvaluatedDatapoints []struct {
			Timestamp string // as a text it sorts like the time: one form, one zone
			Value     *float64
		}
	}
	if json.Unmarshal([]byte(reasonData), &data) != nil {
		return nil // an alarm that never changed has none
	}
	var v *float64
	newest := ""
	for _, p := range data.EvaluatedDatapoints {
		if p.Value != nil && p.Timestamp >= newest {
			newest, v = p.Timestamp, p.Value
		}
	}
	return v
}

// counts implements alarmed.
func (t *deployedTarget) counts(ctx context.Context) (alarm.Source, error) {
	f, err := t.find(ctx)
	if err != nil {
		return nil, err
	}
	return &deployedCounts{awsio.Meter{Client: cloudwatch.NewFromConfig(f.cfg), Env: f.Env, Now: t.env.now}}, nil
}

// deployedCounts is an alarm.Source of counts: what the SLOs are made of.
type deployedCounts struct{ meter awsio.Meter }

// Query implements alarm.Source.
func (d *deployedCounts) Query(ctx context.Context, s spec.Series, end time.Time, period time.Duration, n int) ([]alarm.Value, error) {
	sums, there, err := d.meter.Sums(ctx, s, end, period, n)
	values := make([]alarm.Value, len(sums))
	for i := range sums {
		values[i] = alarm.Value{V: sums[i], OK: there[i]}
	}
	return values, err
}
