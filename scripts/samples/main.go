// Command samples makes the sample of real flights from the published table:
//
//	go run ./scripts/samples -day 2013-01-01 flights-2013-01.csv.gz events-samples/flights/2013-01-01.ndjson.gz
//
// The same table and day give the same bytes with the same Go version: the gzip header
// carries no time and no name.
package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

func main() {
	day := flag.String("day", "", "only the flights of this `date` (2013-01-01); empty: all")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: samples [-day DATE] TABLE.csv.gz OUT.ndjson.gz")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 2 {
		flag.Usage()
		os.Exit(2)
	}
	n, err := convert(flag.Arg(0), flag.Arg(1), *day)
	if err != nil {
		fmt.Fprintln(os.Stderr, "samples:", err)
		os.Exit(1)
	}
	fmt.Printf("%s: %d events\n", flag.Arg(1), n)
}

// convert writes the table's flights to a file and returns their number. The file
// appears whole or not at all.
func convert(from, to, day string) (n int, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer func() { _ = in.Close() }() // only read
	table, err := gzip.NewReader(in)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", from, err)
	}
	out, err := os.CreateTemp(filepath.Dir(to), ".samples-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name())
		}
	}()
	n, err = writeFlights(out, table, day)
	if err = errors.Join(err, out.Chmod(0o644), out.Close()); err != nil {
		return 0, fmt.Errorf("%s: %w", from, err)
	}
	return n, os.Rename(out.Name(), to)
}

// writeFlights writes gzipped NDJSON. A day that has no flights is an error.
func writeFlights(w io.Writer, table io.Reader, day string) (n int, err error) {
	packed, err := gzip.NewWriterLevel(w, gzip.BestCompression)
	if err != nil {
		return 0, err
	}
	lines := bufio.NewWriter(packed)
	enc := json.NewEncoder(lines)
	enc.SetEscapeHTML(false)
	for f, err := range flights(table) {
		if err != nil {
			return n, err
		}
		if day != "" && f.Data.Date != day {
			continue
		}
		if err := enc.Encode(f); err != nil {
			return n, err
		}
		n++
	}
	if n == 0 {
		return 0, fmt.Errorf("no flights on %q", day)
	}
	return n, errors.Join(lines.Flush(), packed.Close())
}
