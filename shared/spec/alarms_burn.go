package spec

import (
	"fmt"
	"slices"
	"time"
)

var burnAlarms = slices.Concat(
	burn(SLOErrorRate, "error-burn", Alarm{
		Stages:   everyStage,
		Causes:   []string{causeOutage, causeRelease, causeSender},
		Diagnose: []string{"`millrace slo` shows what is left of the budget and how fast it goes.", lookReasons},
		Fix:      []string{fixRollback, "Remove the cause that the most frequent reason names.", fixRedrive},
		Command:  "millrace slo",
	}),
	burn(SLOLatency, "latency-burn", Alarm{
		Stages:   afterDoor,
		Causes:   []string{"the event store is slow", "more events arrive than the pipeline is made for", "a handler is slow", "events are retried"},
		Diagnose: []string{"`millrace slo` shows what is left of the budget and how fast it goes.", "`millrace status`: where do messages wait, and is ingest behind Kafka."},
		Fix:      []string{"The queue before the slow stage is the one that is full: give that stage more concurrency, or its store more capacity.", fixRollback},
		Command:  "millrace slo",
	}),
)

// burn is the alarms on the budget of one SLO: one for each of BurnRates.
func burn(slo, name string, common Alarm) []Alarm {
	var alarms []Alarm
	for _, b := range BurnRates {
		a := common
		a.Name, a.Severity, a.Mute = name+"-"+b.Name, b.Severity, MuteNever
		a.Meaning = fmt.Sprintf("The stage spends the %s budget of %d days %s times too fast: %s of it has gone in %s, and it still goes on.",
			slo, int(SLOWindow/(24*time.Hour)), FormatNumber(b.Factor), b.Spent, words(b.Long))
		a.When = []Condition{burning(slo, "long", b.Factor, b.Long), burning(slo, "short", b.Factor, b.Short)}
		alarms = append(alarms, a)
	}
	return alarms
}

// burning is a condition on the burn rate of an SLO over one window. The window is one
// period, so its value is that of all its events, whenever in it they came.
func burning(slo, name string, factor float64, window time.Duration) Condition {
	s, _ := SLOByName(slo)
	return Condition{
		Name:  name,
		Label: "burn rate (" + slo + ")",
		Value: Ratio(1/s.Budget(), s.Bad, s.Total, "minBurnEvents"), Compare: AtLeast, Threshold: Number(factor),
		Period: window, M: 1, N: 1, Missing: MissingIsGood,
		MissingWhy: "Without events in the window none of the budget is spent.",
	}
}
