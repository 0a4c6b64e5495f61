package spec

import "time"

// SLOWindow is the time over which an SLO is promised, and its error budget spent.
const SLOWindow = 30 * 24 * time.Hour

// SLO is one row of SLOs: what is promised to the users of the pipeline.
type SLO struct {
	Name   string
	Target float64 // percent of Total that must not be Bad; 0 for a rate
	// Bad and Total of each stage of Stages, added up over the stages and the time.
	Bad, Total Series
	Stages     []string
	// Rate is a promise without a budget: so many of Total a second while there is work.
	Rate    float64
	Alert   string // the threshold at which an alarm fires
	Meaning string // one sentence
}

// Names of the SLOs.
const (
	SLOAvailability = "availability"
	SLOThroughput   = "throughput"
	SLOLatency      = "latency"
	SLOErrorRate    = "error-rate"
	SLODelivery     = "delivery"
)

// SLOs are all service level objectives.
var SLOs = []SLO{
	{Name: SLOAvailability, Target: 99.99, Bad: outages, Total: attempts, Stages: everyStage, Alert: "availabilityFloor",
		Meaning: "Attempts at an event that no outage of the platform stopped."},
	{Name: SLOThroughput, Rate: 100_000, Total: Series{Metric: EventsStored, Stat: Sum}, Stages: onlyStore, Alert: "throughputFloor",
		Meaning: "Events a second that the pipeline stores while there is a backlog."},
	{Name: SLOLatency, Target: 99, Bad: slow, Total: ended, Stages: afterDoor, Alert: "latencyHigh",
		Meaning: "Events that are stored, dropped or dead-lettered within one second of their arrival: their p99 is then below it."},
	{Name: SLOErrorRate, Target: 99.9, Bad: failed, Total: attempts, Stages: everyStage, Alert: "errorRateElevated",
		Meaning: "Attempts at an event that did not fail."},
	{Name: SLODelivery, Target: 99.9, Bad: dead, Total: finished, Stages: everyStage, Alert: "deliveryFloor",
		Meaning: "Finished events of a stage that were not dead-lettered."},
}

// SLOByName finds an SLO of SLOs.
func SLOByName(name string) (SLO, bool) {
	for _, s := range SLOs {
		if s.Name == name {
			return s, true
		}
	}
	return SLO{}, false
}

// Budget is the share of Total that may be bad, 0.001 for a target of 99.9 %. It is 0 for
// a rate.
func (s SLO) Budget() float64 {
	if s.Target == 0 {
		return 0
	}
	// In thousandths of a percent first: 1 - 0.9999 is not 0.0001 in binary.
	return float64(100_000-int64(s.Target*1000+0.5)) / 100_000
}

// BurnRate is one row of BurnRates: an SLO's error budget is being spent Factor times as
// fast as would use up exactly all of it in SLOWindow. It must be so over the long window,
// so that it matters, and over the short one, so that it still goes on (Google, The Site
// Reliability Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts", table 5-8).
type BurnRate struct {
	Name        string // "fast": part of the name of the alarm
	Factor      float64
	Long, Short time.Duration
	Severity    string
	Spent       string // of the budget when it fires
}

// BurnRates are the three pairs of windows of every SLO that has burn-rate alarms.
var BurnRates = []BurnRate{
	{"fast", 14.4, time.Hour, 5 * time.Minute, P2, "2 %"},
	{"medium", 6, 6 * time.Hour, 30 * time.Minute, P3, "5 %"},
	{"slow", 1, 3 * 24 * time.Hour, 6 * time.Hour, P4, "10 %"},
}
