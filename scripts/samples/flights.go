package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"
)

// flightEvent is a row of the table as a CloudEvent. The order of the fields is that of
// the members.
type flightEvent struct {
	SpecVersion     string `json:"specversion"`
	ID              string `json:"id"`
	Source          string `json:"source"`
	Type            string `json:"type"`
	Subject         string `json:"subject"`
	Time            string `json:"time"`
	DataContentType string `json:"datacontenttype"`
	TenantID        string `json:"tenantid"`
	PartitionKey    string `json:"partitionkey"`
	Data            flight `json:"data"`
}

// flight is the data: times are local as hhmm, delays in minutes, nil where the table
// has NA (a cancelled flight has no times).
type flight struct {
	DepTime      *int    `json:"dep_time"`
	SchedDepTime *int    `json:"sched_dep_time"`
	DepDelay     *int    `json:"dep_delay"`
	ArrTime      *int    `json:"arr_time"`
	SchedArrTime *int    `json:"sched_arr_time"`
	ArrDelay     *int    `json:"arr_delay"`
	Carrier      string  `json:"carrier"`
	Flight       int     `json:"flight"`
	TailNum      *string `json:"tailnum"`
	Origin       string  `json:"origin"`
	Dest         string  `json:"dest"`
	AirTime      *int    `json:"air_time"`
	Distance     *int    `json:"distance"`
	Date         string  `json:"date"`
}

// flights reads the table of nycflights13 as CSV with a header line. After an error
// there is nothing more.
func flights(table io.Reader) iter.Seq2[flightEvent, error] {
	return func(yield func(flightEvent, error) bool) {
		rows := csv.NewReader(table)
		header, err := rows.Read()
		if err != nil {
			yield(flightEvent{}, err)
			return
		}
		column := make(map[string]int, len(header))
		for i, name := range header {
			column[name] = i
		}
		for {
			cells, err := rows.Read()
			if err == io.EOF {
				return
			}
			var f flightEvent
			if err == nil {
				r := row{cells: cells, column: column}
				f, err = r.event(), r.err
			}
			if err != nil {
				line, _ := rows.FieldPos(0)
				yield(flightEvent{}, fmt.Errorf("line %d: %w", line, err))
				return
			}
			if !yield(f, nil) {
				return
			}
		}
	}
}

// row reads the cells of one line; the first error stays.
type row struct {
	cells  []string
	column map[string]int
	err    error
}

func (r *row) event() flightEvent {
	d := flight{
		DepTime: r.number("dep_time"), SchedDepTime: r.number("sched_dep_time"), DepDelay: r.number("dep_delay"),
		ArrTime: r.number("arr_time"), SchedArrTime: r.number("sched_arr_time"), ArrDelay: r.number("arr_delay"),
		Carrier: r.text("carrier"), Flight: r.must("flight"), TailNum: r.optional("tailnum"),
		Origin: r.text("origin"), Dest: r.text("dest"),
		AirTime: r.number("air_time"), Distance: r.number("distance"),
		Date: fmt.Sprintf("%d-%02d-%02d", r.must("year"), r.must("month"), r.must("day")),
	}
	e := flightEvent{
		SpecVersion: "1.0",
		// What makes a flight unique: day, airline, number, airport, scheduled time.
		ID:              fmt.Sprintf("%s/%s/%d/%s/%04d", d.Date, d.Carrier, d.Flight, d.Origin, r.must("sched_dep_time")),
		Source:          "/bts/nyc",
		Type:            "gov.bts.flight.recorded",
		Subject:         d.Carrier + strconv.Itoa(d.Flight),
		Time:            r.text("time_hour"),
		DataContentType: "application/json",
		TenantID:        strings.ToLower(d.Carrier),
		PartitionKey:    d.Carrier,
		Data:            d,
	}
	if d.TailNum != nil { // the aircraft, where it is known
		e.Subject, e.PartitionKey = *d.TailNum, *d.TailNum
	}
	return e
}

func (r *row) text(name string) string {
	i, ok := r.column[name]
	if !ok {
		r.fail(fmt.Errorf("the table has no column %q", name))
		return ""
	}
	return r.cells[i]
}

func (r *row) optional(name string) *string {
	if v := r.text(name); v != "" && v != "NA" {
		return &v
	}
	return nil
}

func (r *row) number(name string) *int {
	v := r.optional(name)
	if v == nil {
		return nil
	}
	n, err := strconv.Atoi(*v)
	if err != nil {
		r.fail(fmt.Errorf("column %q: %w", name, err))
	}
	return &n
}

func (r *row) must(name string) int {
	n := r.number(name)
	if n == nil {
		r.fail(fmt.Errorf("column %q is empty", name))
		return 0
	}
	return *n
}

func (r *row) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}
