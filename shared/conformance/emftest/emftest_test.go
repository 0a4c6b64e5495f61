package emftest

import (
	"strings"
	"testing"
)

const good = `{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"Millrace","Dimensions":[["Service","Stage","Env"]],` +
	`"Metrics":[{"Name":"BatchSize","Unit":"Count"},{"Name":"EventLatency","Unit":"Milliseconds"}]}]},` +
	`"Service":"millrace","Stage":"persist","Env":"test","BatchSize":7,"EventLatency":[1.5,2],"Tenant":{"a":[1]}}`

func TestCheckAccepts(t *testing.T) {
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.Check([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if sum, n := d.Sum("EventLatency"); sum != 3.5 || n != 2 || d.Units["BatchSize"] != "Count" || d.Timestamp != 1700000000000 {
		t.Errorf("read as %+v", d)
	}
	d, err = c.Check([]byte(strings.Replace(good, "[1.5,2]", `{"Values":[1.5,2],"Counts":[3,1]}`, 1)))
	if sum, n := d.Sum("EventLatency"); err != nil || sum != 6.5 || n != 4 {
		t.Errorf("histogram read as %+v: %v", d, err)
	}
	docs, err := c.Lines([]byte("START\n{\"level\":\"INFO\"}\n" + good + "\n" + good + "\n"))
	if err != nil || len(docs) != 2 {
		t.Errorf("%d lines: %v", len(docs), err)
	}
}

func TestCheckRefuses(t *testing.T) {
	c, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for why, change := range map[string][2]string{
		"no timestamp":                {`"Timestamp":1700000000000,`, ``},
		"timestamp as text":           {`1700000000000`, `"now"`},
		"another namespace":           {`"Millrace"`, `"MyApp"`},
		"no dimension set":            {`[["Service","Stage","Env"]]`, `[]`},
		"a tenant as dimension":       {`"Env"]]`, `"Env","Tenant"]]`},
		"a second dimension set":      {`"Env"]]`, `"Env"],["Stage"]]`},
		"a dimension less":            {`,"Env"]]`, `]]`},
		"31 dimensions":               {`"Env"]]`, `"Env"` + strings.Repeat(`,"Env"`, 28) + `]]`},
		"a dimension without a value": {`"Env":"test",`, ``},
		"an empty dimension":          {`"Env":"test"`, `"Env":""`},
		"a number as dimension":       {`"Env":"test"`, `"Env":1`},
		"a metric without a value":    {`"BatchSize":7,`, ``},
		"a metric as text":            {`"BatchSize":7`, `"BatchSize":"7"`},
		"a metric that is NaN":        {`"BatchSize":7`, `"BatchSize":NaN`},
		"a member twice":              {`"BatchSize":7`, `"BatchSize":7,"BatchSize":8`},
		"a metric defined twice":      {`{"Name":"BatchSize","Unit":"Count"}`, `{"Name":"BatchSize","Unit":"Count"},{"Name":"BatchSize","Unit":"Count"}`},
		"an unknown unit":             {`"Unit":"Count"`, `"Unit":"Events"`},
		"another unit":                {`"Unit":"Count"`, `"Unit":"Percent"`},
		"an unknown metric":           {`BatchSize`, `Batches`},
		"a metric of another stage":   {`"Stage":"persist"`, `"Stage":"ingest"`},
		"101 values":                  {`[1.5,2]`, `[1` + strings.Repeat(",1", 100) + `]`},
		"no values":                   {`[1.5,2]`, `[]`},
		"nested values":               {`[1.5,2]`, `[[1.5],2]`},
		"counts that do not match":    {`[1.5,2]`, `{"Values":[1,2],"Counts":[1]}`},
		"a count of 0":                {`[1.5,2]`, `{"Values":[1,2],"Counts":[1,0]}`},
		"101 metrics":                 {`{"Name":"BatchSize","Unit":"Count"}`, `{"Name":"BatchSize"}` + strings.Repeat(`,{"Name":"BatchSize"}`, 100)},
		"more than 1 MB":              {`{"a":[1]}`, `"` + strings.Repeat("x", 1<<20) + `"`},
		"data after the object":       {`{"a":[1]}}`, `1} {}`},
	} {
		line := strings.Replace(good, change[0], change[1], 1)
		if why == "an unknown metric" {
			line = strings.ReplaceAll(good, change[0], change[1])
		}
		if line == good {
			t.Fatalf("%s: nothing was changed", why)
		}
		if _, err := c.Check([]byte(line)); err == nil {
			t.Errorf("%s was accepted", why)
		}
		if _, err := c.Lines([]byte(line)); err == nil {
			t.Errorf("%s was accepted among lines", why)
		}
	}
}
