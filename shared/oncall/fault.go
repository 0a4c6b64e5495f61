package oncall

import (
	"context"
	"encoding/json"
	"time"
)

// Alarm is an alarm as CloudWatch describes it.
type Alarm struct {
	Name        string
	State       string
	Since       time.Time // of its last transition
	Rule        string    // of a composite alarm; "" for a metric alarm
	Reason      string
	ReasonData  string // JSON: of a metric alarm, the datapoints that were judged
	Description string
	Comparison  string // of a metric alarm, such as GreaterThanThreshold
	Threshold   *float64
}

// Alarms describes alarms by name. Those that do not exist are left out.
type Alarms interface {
	Describe(ctx context.Context, names []string) ([]Alarm, error)
}

// Fault is an alarm that makes the page's alarm fire.
type Fault struct {
	Alarm       string    `json:"alarm"`
	Description string    `json:"description,omitempty"`
	Readings    []Reading `json:"readings,omitempty"` // of its conditions
}

// Reading is a value against its threshold, as CloudWatch judged it last.
type Reading struct {
	Alarm      string   `json:"alarm"`           // the metric alarm that judges it
	Value      *float64 `json:"value,omitempty"` // nil: there was no data, and that is the fault
	Threshold  *float64 `json:"threshold,omitempty"`
	Comparison string   `json:"comparison,omitempty"`
}

// faults finds the alarms behind a composite alarm's rule: its children in ALARM. A child
// with several conditions is composite itself, and its own children have the values. When
// CloudWatch cannot be asked, or all is well again by now, the alarms that the message
// names are all there is to say.
func faults(ctx context.Context, alarms Alarms, rule string, triggering []string) ([]Fault, error) {
	all, err := describe(ctx, alarms, children(rule))
	var found []Fault
	for _, a := range all {
		if a.State != InAlarm {
			continue
		}
		f := Fault{Alarm: a.Name, Description: a.Description}
		if a.Rule == "" {
			f.Readings = []Reading{reading(a)}
		} else {
			conditions, e := describe(ctx, alarms, children(a.Rule))
			if e != nil {
				err = e
			}
			for _, c := range conditions {
				f.Readings = append(f.Readings, reading(c))
			}
		}
		found = append(found, f)
	}
	if len(found) == 0 {
		for _, name := range triggering {
			found = append(found, Fault{Alarm: name})
		}
	}
	return found, err
}

func describe(ctx context.Context, alarms Alarms, names []string) ([]Alarm, error) {
	if len(names) == 0 {
		return nil, nil
	}
	return alarms.Describe(ctx, names)
}

// reading of a metric alarm. recentDatapoints has the oldest first; null is a period
// without data.
func reading(a Alarm) Reading {
	r := Reading{Alarm: a.Name, Threshold: a.Threshold, Comparison: a.Comparison}
	var data struct {
		RecentDatapoints []*float64
		Threshold        *float64
	}
	if err := json.Unmarshal([]byte(a.ReasonData), &data); err != nil {
		return r // set by hand (SetAlarmState needs no data): no value is known
	}
	for _, v := range data.RecentDatapoints {
		if v != nil {
			r.Value = v
		}
	}
	if data.Threshold != nil {
		r.Threshold = data.Threshold
	}
	return r
}
