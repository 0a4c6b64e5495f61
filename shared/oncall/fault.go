package oncall

import (
	"context"
	"encoding/json"
	"slices"
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

// Behind is what is behind a composite alarm. The zero value: nothing is.
type Behind struct {
	Faults []Fault // the alarms of its rule that are in ALARM
	// Unknown: CloudWatch could not be asked.
	Unknown bool
	// Last is when an alarm of the rule last changed its state.
	Last time.Time
}

// goesOn says whether something that the page is about is still in ALARM. What is unknown
// may be: a tick can tell.
func (b *Behind) goesOn(p *Page) bool {
	if b.Unknown || len(p.Faults) == 0 {
		return b.Unknown || len(b.Faults) > 0
	}
	return slices.ContainsFunc(b.Faults, func(f Fault) bool {
		return slices.ContainsFunc(p.Faults, func(g Fault) bool { return f.Alarm == g.Alarm })
	})
}

// or the alarms that a message names: they are all there is to say when CloudWatch could
// not be asked, or all is well again by now.
func (b *Behind) or(triggering []string) []Fault {
	if len(b.Faults) > 0 {
		return b.Faults
	}
	var named []Fault
	for _, name := range triggering {
		named = append(named, Fault{Alarm: name})
	}
	return named
}

// behind finds what is behind a composite alarm's rule. A child with several conditions is
// composite itself, and its own children have the values; an error of those leaves only the
// values out.
func behind(ctx context.Context, alarms Alarms, rule string) (b Behind, err error) {
	all, err := describe(ctx, alarms, children(rule))
	b.Unknown = err != nil
	for _, a := range all {
		b.Last = latest(b.Last, a.Since)
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
		b.Faults = append(b.Faults, f)
	}
	return b, err
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
