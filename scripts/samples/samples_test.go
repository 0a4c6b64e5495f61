package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	repo   = "../.."
	sample = repo + "/events-samples/flights/2013-01-01.ndjson.gz"
)

// sharedData is the directory of the real input; the test is skipped without it.
func sharedData(t testing.TB) string {
	t.Helper()
	shared := os.Getenv("MILLRACE_SHARED")
	if shared == "" {
		shared = filepath.Join(repo, "..", "shared")
	}
	dir := filepath.Join(shared, "data")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no real input: %v (set MILLRACE_SHARED)", err)
	}
	return dir
}

// The committed sample is what this command makes of the published table. Compared
// are the lines: another Go version may compress them otherwise.
func TestCommittedSample(t *testing.T) {
	table := filepath.Join(sharedData(t), "flights-2013-01.csv.gz")
	out := filepath.Join(t.TempDir(), "out.ndjson.gz")
	n, err := convert(table, out, "2013-01-01")
	if err != nil || n != 842 {
		t.Fatalf("%d events, %v, want 842", n, err)
	}
	if !bytes.Equal(gunzip(t, out), gunzip(t, sample)) {
		t.Errorf("%s differs from the table: make it anew", sample)
	}
	again := filepath.Join(t.TempDir(), "again.ndjson.gz")
	if _, err := convert(table, again, "2013-01-01"); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(read(t, out), read(t, again)) {
		t.Error("two runs gave different bytes")
	}
}

// The header of the sample carries no time and no file name, so that the same input
// gives the same bytes (RFC 1952, section 2.3.1).
func TestSampleHeader(t *testing.T) {
	r, err := gzip.NewReader(bytes.NewReader(read(t, sample)))
	if err != nil {
		t.Fatal(err)
	}
	if !r.ModTime.IsZero() || r.Name != "" || r.Comment != "" {
		t.Errorf("header has time %v, name %q, comment %q", r.ModTime, r.Name, r.Comment)
	}
}

// The converter that came with the real input is the oracle for all 27,004 rows.
func TestAgainstThePythonConverter(t *testing.T) {
	dir := sharedData(t)
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3")
	}
	table := filepath.Join(dir, "flights-2013-01.csv.gz")
	want, err := exec.Command(python, filepath.Join(dir, "to_cloudevents.py"), "flights", table).Output()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "all.ndjson.gz")
	if n, err := convert(table, out, ""); err != nil || n != 27004 {
		t.Fatalf("%d events, %v, want 27004", n, err)
	}
	got := gunzip(t, out)
	if bytes.Equal(got, want) {
		return
	}
	wants := strings.Split(string(want), "\n")
	for i, line := range strings.Split(string(got), "\n") {
		if i >= len(wants) || line != wants[i] {
			t.Fatalf("line %d: %s", i+1, line)
		}
	}
	t.Fatalf("%d lines are missing", len(wants)-bytes.Count(got, []byte("\n")))
}

const header = "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,tailnum,origin,dest,air_time,distance,hour,minute,time_hour\n"

func TestRowWithoutTimes(t *testing.T) {
	const table = header + "2013,1,1,,1630,NA,NA,1815,,EV,4308,N18120,EWR,RDU,NA,416,16,30,2013-01-01T21:00:00Z\n" +
		"2013,1,1,NA,905,NA,NA,1000,NA,MQ,2,,LGA,BNA,,764,9,5,2013-01-01T14:00:00Z\n"
	var subjects []string
	for f, err := range flights(strings.NewReader(table)) {
		if err != nil {
			t.Fatal(err)
		}
		if f.Data.DepTime != nil || f.Data.DepDelay != nil || f.Data.AirTime != nil {
			t.Errorf("want no times: %+v", f.Data)
		}
		b, err := json.Marshal(f)
		if err != nil || !strings.Contains(string(b), `"dep_time":null,`) {
			t.Errorf("got %s, %v", b, err)
		}
		subjects = append(subjects, f.Subject+" "+f.PartitionKey+" "+f.ID)
	}
	want := "N18120 N18120 2013-01-01/EV/4308/EWR/1630,MQ2 MQ 2013-01-01/MQ/2/LGA/0905"
	if got := strings.Join(subjects, ","); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A table that cannot be read gives an error with its line and no file.
func TestBadTables(t *testing.T) {
	row := "2013,1,1,517,515,2,830,819,11,UA,1545,N14228,EWR,IAH,227,1400,5,15,2013-01-01T10:00:00Z\n"
	for name, c := range map[string]struct{ table, want string }{
		"empty":          {"", "EOF"},
		"no flights":     {header, "no flights"},
		"other day":      {header + row, "no flights on"},
		"missing column": {strings.Replace(header+row, "dep_delay", "x", 1), `line 2: the table has no column "dep_delay"`},
		"not a number":   {header + row + strings.Replace(row, "517", "5h17", 1), `line 3: column "dep_time"`},
		"no flight":      {header + strings.Replace(row, "1545", "NA", 1), `line 2: column "flight" is empty`},
		"short line":     {header + "2013,1\n", "line 2"},
	} {
		t.Run(name, func(t *testing.T) {
			in, out := filepath.Join(t.TempDir(), "in.csv.gz"), filepath.Join(t.TempDir(), "out.ndjson.gz")
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = io.WriteString(z, c.table)
			_ = z.Close()
			if err := os.WriteFile(in, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := convert(in, out, "2013-01-02"); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
			left, err := os.ReadDir(filepath.Dir(out))
			if err != nil || len(left) != 0 {
				t.Errorf("files left: %v, %v", left, err)
			}
		})
	}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func gunzip(t testing.TB, path string) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(read(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
