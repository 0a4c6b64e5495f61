package alarm

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// maxHistory bounds the changes that are kept, the oldest going first.
const maxHistory = 1000

// Status of one alarm of one stage.
type Status struct {
	Alarm      string            `json:"alarm"` // a name of spec.Alarms
	Stage      string            `json:"stage"`
	Severity   string            `json:"severity"`
	State      State             `json:"state"`
	Since      time.Time         `json:"since,omitzero"` // of the state; zero before the first evaluation
	Measured   bool              `json:"measured"`       // false: this target has no data for it, and State means nothing
	Command    string            `json:"command"`
	Conditions []ConditionStatus `json:"conditions"`
}

// ConditionStatus is one condition of an alarm, in the order of the table.
type ConditionStatus struct {
	Name      string   `json:"name,omitempty"`
	State     State    `json:"state"`
	Value     *float64 `json:"value"` // the newest there is; null without data
	Threshold float64  `json:"threshold"`
}

// Change of the state of an alarm.
type Change struct {
	At         time.Time         `json:"at"`
	Alarm      string            `json:"alarm"`
	Stage      string            `json:"stage"`
	Severity   string            `json:"severity"`
	From       State             `json:"from"`
	To         State             `json:"to"`
	Conditions []ConditionStatus `json:"conditions"` // when it changed
}

// Statuses of all alarms, in the order of the table.
func (e *Evaluator) Statuses() []Status {
	all := make([]Status, len(e.rows))
	for i, r := range e.rows {
		all[i] = Status{
			Alarm: r.alarm.Name, Stage: r.stage, Severity: r.alarm.Severity, State: r.state, Since: r.since,
			Measured: !r.unmeasured, Command: r.alarm.Command, Conditions: r.status(),
		}
	}
	return all
}

// History are the changes, the oldest first, but for those from Insufficient to OK.
func (e *Evaluator) History() []Change { return slices.Clone(e.history) }

func (r *row) status() []ConditionStatus {
	all := make([]ConditionStatus, len(r.conditions))
	for i, c := range r.conditions {
		all[i] = ConditionStatus{Name: c.Name, State: c.state, Threshold: c.limit}
		if c.value.OK {
			v := c.value.V
			all[i].Value = &v
		}
	}
	return all
}

func (r *row) change(to State, now time.Time) Change {
	return Change{
		At: now, Alarm: r.alarm.Name, Stage: r.stage, Severity: r.alarm.Severity,
		From: r.state, To: to, Conditions: r.status(),
	}
}

// Values of the conditions when it changed, for spec.Page.Fired; NaN for one without data.
func (c *Change) Values() []float64 {
	v := make([]float64, len(c.Conditions))
	for i, x := range c.Conditions {
		v[i] = math.NaN()
		if x.Value != nil {
			v[i] = *x.Value
		}
	}
	return v
}

// PagerState is what pages for a stage and a severity: in alarm while any of its alarms is.
type PagerState struct {
	Stage, Severity string
	Firing          []string // names of the alarms, in the order of the table; none: it is quiet
}

// Pagers of the statuses, those that are quiet left out.
func Pagers(statuses []Status) []PagerState {
	var pagers []PagerState
	for _, s := range spec.Severities {
		for _, stage := range spec.AlarmStages {
			p := PagerState{Stage: stage, Severity: s.Name}
			for _, a := range statuses {
				if a.Stage == stage && a.Severity == s.Name && a.State == InAlarm && a.Measured {
					p.Firing = append(p.Firing, a.Alarm)
				}
			}
			if len(p.Firing) > 0 {
				pagers = append(pagers, p)
			}
		}
	}
	return pagers
}

// snapshot is what Save writes.
type snapshot struct {
	Version int      `json:"version"`
	Alarms  []Status `json:"alarms"`
	History []Change `json:"history"`
}

const snapshotVersion = 1

// Save writes the states and the history as JSON, for Restore.
func (e *Evaluator) Save() ([]byte, error) {
	return json.Marshal(snapshot{snapshotVersion, e.Statuses(), e.history})
}

// Restore takes over the states and the history that Save wrote. An alarm that the table
// no longer has is forgotten; a new one knows nothing yet.
func (e *Evaluator) Restore(saved []byte) error {
	var s snapshot
	if err := json.Unmarshal(saved, &s); err != nil {
		return fmt.Errorf("saved alarms: %w", err)
	}
	if s.Version != snapshotVersion {
		return fmt.Errorf("saved alarms: version %d, this program reads %d", s.Version, snapshotVersion)
	}
	e.history = s.History
	for _, r := range e.rows {
		for _, was := range s.Alarms {
			if was.Alarm == r.alarm.Name && was.Stage == r.stage {
				r.restore(was)
			}
		}
	}
	return nil
}

func (r *row) restore(was Status) {
	r.state, r.since = was.State, was.Since
	for i := range r.conditions {
		for _, c := range was.Conditions {
			if c.Name == r.conditions[i].Name {
				r.conditions[i].state = c.State
			}
		}
	}
}
