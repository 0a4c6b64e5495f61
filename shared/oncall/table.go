package oncall

import "github.com/millrace-pipeline/millrace/shared/spec"

// Table finds the rows of spec.Alarms by the names that alarms have in CloudWatch in one
// environment.
type Table struct {
	pagers map[string]pager
	names  []string // of the pagers
	alarms map[string]entry
	silent []string // metric alarms for which silence is the failure
}

// pager is a composite alarm that pages: of a stage and a severity.
type pager struct{ stage, severity string }

// entry is an alarm of a stage, or one condition of it.
type entry struct {
	stage     string
	alarm     *spec.Alarm
	condition *spec.Condition // nil: it has several, and this is the composite of them
}

// NewTable makes the table of an environment.
func NewTable(env string) *Table {
	t := &Table{pagers: make(map[string]pager), alarms: make(map[string]entry)}
	for _, stage := range spec.AlarmStages {
		for _, s := range spec.Severities {
			name := spec.PagerName(env, stage, s.Name)
			t.pagers[name] = pager{stage, s.Name}
			t.names = append(t.names, name)
		}
	}
	for i := range spec.Alarms {
		a := &spec.Alarms[i]
		for _, stage := range a.Stages {
			t.alarms[spec.AlarmName(env, stage, a.Name)] = entry{stage: stage, alarm: a}
			for j := range a.When {
				c := &a.When[j]
				name := spec.ConditionName(env, stage, a.Name, c.Name)
				t.alarms[name] = entry{stage, a, c}
				if c.Missing == spec.MissingBreaches {
					t.silent = append(t.silent, name)
				}
			}
		}
	}
	return t
}

// severity of the page of an alarm. One that the table does not have, such as an alarm
// that somebody else lets publish to our topic, is P1: unknown is not harmless.
func (t *Table) severity(alarm string) string {
	if p, ok := t.pagers[alarm]; ok {
		return p.severity
	}
	if e, ok := t.alarms[alarm]; ok {
		return e.alarm.Severity
	}
	return spec.P1
}

// stage that an alarm is of, "" where that is not known.
func (t *Table) stage(alarm string) string {
	if p, ok := t.pagers[alarm]; ok {
		return p.stage
	}
	return t.alarms[alarm].stage
}

// direct: CloudWatch publishes the page of the alarm itself, and on-call gets no message.
func (t *Table) direct(alarm string) bool {
	p, ok := t.pagers[alarm]
	return ok && spec.Pager{Stage: p.stage, Severity: p.severity}.Topic() != spec.AlarmsTopic
}
