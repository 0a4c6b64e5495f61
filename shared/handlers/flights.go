package handlers

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/millrace-pipeline/millrace/shared/event"
)

// Event types of the flights sample.
const (
	flightDeparted  = "gov.bts.flight.departed"
	flightCancelled = "gov.bts.flight.cancelled"
)

// flightRecorded turns a recorded flight into a departed one, with its delay class
// added to data as "delay_class", or into a cancelled one where the departure time is
// missing. The members used are dep_time (local time as hhmm; null: the flight did not
// leave) and dep_delay (minutes, negative when early).
func flightRecorded(_ context.Context, e event.Event) (Result, error) {
	if !isObject(e.Data()) {
		return Result{}, Reject("data is not a JSON object")
	}
	depTime := member(e.Data(), "dep_time")
	if isNull(depTime) {
		return Change(e.Edit().Set("type", flightCancelled))
	}
	if _, err := strconv.Atoi(string(depTime)); err != nil {
		return Result{}, Reject("dep_time must be a number (local time as hhmm) or null")
	}
	minutes, err := strconv.Atoi(string(member(e.Data(), "dep_delay")))
	if err != nil {
		return Result{}, Reject("dep_delay must be whole minutes where dep_time is given")
	}
	class := strconv.AppendQuote(nil, delayClass(minutes))
	data := setMember(e.Data(), "delay_class", class)
	return Change(e.Edit().Set("type", flightDeparted).Data(json.RawMessage(data)))
}

// delayClass sorts a departure delay in minutes. The Bureau of Transportation
// Statistics counts a flight as on time when it leaves less than 15 minutes after its
// schedule; that includes the early ones, which are set apart here.
//
//	early     before the schedule
//	on_time   0 to 14 minutes late
//	delayed   15 to 59
//	severe    60 and more
func delayClass(minutes int) string {
	switch {
	case minutes < 0:
		return "early"
	case minutes < 15:
		return "on_time"
	case minutes < 60:
		return "delayed"
	default:
		return "severe"
	}
}
