package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

func refusal(line int, reason fault.Reason) Refusal { return Refusal{Line: line, Reason: reason} }

func TestSendForms(t *testing.T) {
	a, b, c := eventJSON("a"), eventJSON("b"), eventJSON("c")
	pretty := strings.ReplaceAll(a, ",", ",\n  ")
	for _, tc := range []struct {
		name, input string
		want        string // lines sent
		refused     []Refusal
	}{
		{"ndjson", a + "\n" + b + "\n", a + "\n" + b + "\n", nil},
		{"no line end at the end", a + "\n" + b, a + "\n" + b + "\n", nil},
		{"windows line ends and empty lines", "\r\n" + a + "\r\n  \r\n" + b + "\r\n\r\n", a + "\n" + b + "\n", nil},
		{"byte order mark", "\xef\xbb\xbf" + a, a + "\n", nil},
		{"gzip", zip(t, a+"\n"+b), a + "\n" + b + "\n", nil},
		{"gzip in two parts", zip(t, a+"\n") + zip(t, b), a + "\n" + b + "\n", nil},
		{"one event on a line", a, a + "\n", nil},
		{"one event on many lines", "\n" + pretty + "\n", pretty + "\n", nil},
		{"gzip of one event on many lines", zip(t, pretty), pretty + "\n", nil},
		{"array", "[" + a + "," + b + "]", a + "\n" + b + "\n", nil},
		{"array on many lines", "\n[\n  " + a + ",\n  " + b + "\n]\n", a + "\n" + b + "\n", nil},
		{"empty", "", "", nil},
		{"white space", " \n\n", "", nil},
		{"empty array", "[]", "", nil},
		{"bad lines", a + "\nnonsense\n\n" + `{"id":"x"}` + "\n" + c, a + "\n" + c + "\n",
			[]Refusal{refusal(2, fault.NotJSON), refusal(4, fault.MissingAttribute)}},
		{"first line cut off", a[:40] + "\n" + b, b + "\n", []Refusal{refusal(1, fault.NotJSON)}},
		{"first line is no object", "17\n" + b, b + "\n", []Refusal{refusal(1, fault.NotCloudEvent)}},
		{"bad element", "[" + a + ",\n17,\n" + b + "]", a + "\n" + b + "\n",
			[]Refusal{{Line: 2, Element: 2, Reason: fault.NotCloudEvent}}},
		{"array that breaks", "[" + a + ",\n{\"x\":", a + "\n", []Refusal{{Line: 2, Element: 2, Reason: fault.NotJSON}}},
		{"array without end", "[" + a + ",\n" + b + "\n", a + "\n" + b + "\n", []Refusal{{Line: 3, Element: 3, Reason: fault.NotJSON}}},
		{"array and more", "[" + a + "]\n\n" + b, a + "\n", []Refusal{{Line: 3, Element: 2, Reason: fault.NotJSON}}},
		{"only a bracket", "[", "", []Refusal{{Line: 1, Element: 1, Reason: fault.NotJSON}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, live := range []bool{false, true} {
				var door recorder
				res, refused, err := send(t, &door, SendRequest{Input: strings.NewReader(tc.input), Live: live})
				if err != nil {
					t.Fatal(err)
				}
				for i := range refused {
					if refused[i].Detail == "" {
						t.Errorf("%+v has no detail", refused[i])
					}
					refused[i].Detail = ""
				}
				if d := cmp.Diff(tc.want, door.sent()); d != "" {
					t.Error(d)
				}
				if d := cmp.Diff(tc.refused, refused); d != "" {
					t.Error(d)
				}
				if events := strings.Count(tc.want, "specversion"); res.Sent != events || res.Refused != len(tc.refused) || res.Failed != 0 {
					t.Errorf("%+v", res)
				}
			}
		})
	}
}

func TestSendUncheckedSendsLinesAsTheyStand(t *testing.T) {
	input := "[1,\n\n nonsense \r\n\xff\x00\n" + eventJSON("a")
	var door recorder
	res, _, err := send(t, &door, SendRequest{Input: strings.NewReader(input), Unchecked: true})
	if err != nil || res.Sent != 4 || res.Refused != 0 {
		t.Fatalf("%+v %v", res, err)
	}
	if d := cmp.Diff("[1,\n nonsense \n\xff\x00\n"+eventJSON("a")+"\n", door.sent()); d != "" {
		t.Error(d)
	}
}

func TestSendLongLines(t *testing.T) {
	long := func(n int) string { // an event of n bytes
		e := eventJSON("a")
		return e[:len(e)-1] + `,"subject":"` + strings.Repeat("x", n-len(e)-len(`,"subject":""`)) + `"}`
	}
	const limit = 5000
	for _, unchecked := range []bool{false, true} {
		for _, end := range []string{"\n", "\r\n"} {
			input := long(limit) + end + long(limit+1) + end + long(3*readBuffer) + end + eventJSON("b") + end
			var door recorder
			res, refused, err := send(t, &door, SendRequest{Input: strings.NewReader(input), MaxLine: limit, Unchecked: unchecked})
			if err != nil {
				t.Fatal(err)
			}
			detail := "longer than 5000 bytes"
			want := []Refusal{{Line: 2, Reason: fault.TooLarge, Detail: detail}, {Line: 3, Reason: fault.TooLarge, Detail: detail}}
			if d := cmp.Diff(want, refused); d != "" {
				t.Error(d)
			}
			if res.Sent != 2 || res.Line != 4 {
				t.Errorf("%+v", res)
			}
		}
	}
}

func TestSendTruncatedGzip(t *testing.T) {
	var lines strings.Builder
	for i := range 1000 {
		lines.WriteString(eventJSON(fmt.Sprint(i)) + "\n")
	}
	z := zip(t, lines.String())
	var door recorder
	res, _, err := send(t, &door, SendRequest{Input: strings.NewReader(z[:len(z)/2])})
	if err == nil || !strings.Contains(err.Error(), "breaks off") {
		t.Errorf("the error is %v", err)
	}
	if res.Sent == 0 || res.Sent >= 1000 || res.Line != res.Sent {
		t.Errorf("what was there before is sent and counted: %+v", res)
	}
}

func TestSendStopsAtAFailure(t *testing.T) {
	down := errors.New("the broker is down")
	door := recorder{answer: func(l Line) error {
		switch l.Event.ID() {
		case "refused":
			return fault.New(fault.TooLarge, "of the door")
		case "down":
			return down
		}
		return nil
	}}
	input := strings.Join([]string{eventJSON("a"), eventJSON("refused"), "nonsense", eventJSON("down"), eventJSON("b")}, "\n")
	res, refused, err := send(t, &door, SendRequest{Input: strings.NewReader(input)})
	if !errors.Is(err, down) {
		t.Errorf("the error is %v", err)
	}
	if d := cmp.Diff(SendResult{Sent: 2, Refused: 2, Failed: 1, Bytes: res.Bytes, Elapsed: res.Elapsed, Line: 3}, res); d != "" {
		t.Error(d)
	}
	if len(refused) != 2 || refused[0].Reason != fault.TooLarge || refused[0].Detail != "of the door" {
		t.Errorf("%+v", refused)
	}
}

func TestSendRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		input := strings.Repeat(eventJSON("a")+"\n", 300)
		start := time.Now()
		var progress int
		res, _, err := send(t, &recorder{}, SendRequest{
			Input: strings.NewReader(input), Rate: 100, Progress: func(SendResult) { progress++ },
		})
		took := time.Since(start)
		if err != nil || res.Sent != 300 || res.Elapsed != took {
			t.Fatalf("%+v %v", res, err)
		}
		if took < 2900*time.Millisecond || took > 3100*time.Millisecond {
			t.Errorf("300 lines at 100 a second took %v", took)
		}
		if progress < 25 {
			t.Errorf("%d batches: the rate is not even", progress)
		}
	})
}

// A live input is sent as it comes, and ends with ctx although its Read blocks.
func TestSendLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		defer r.Close()
		var door recorder
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		var res SendResult
		go func() {
			var err error
			res, err = Send(ctx, &door, SendRequest{Input: r, Live: true, MaxLine: 1000, Now: time.Now})
			done <- err
		}()
		for i := range 3 {
			if _, err := io.WriteString(w, eventJSON(fmt.Sprint(i))+"\n"); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if len(door.batches) != i+1 {
				t.Fatalf("after %d lines %d were sent", i+1, len(door.batches))
			}
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
		if res.Sent != 3 || res.Line != 3 {
			t.Errorf("%+v", res)
		}
	})
}

// What is on its way when ctx ends is awaited and counted.
func TestSendFinishesTheBatchOnItsWay(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	door := recorder{enter: cancel}
	res, err := Send(ctx, &door, SendRequest{Input: strings.NewReader(eventJSON("a")), MaxLine: 1000, Now: time.Now})
	if !errors.Is(err, context.Canceled) || res.Sent != 1 {
		t.Errorf("%+v %v", res, err)
	}
}

func TestSendBatchesAreBounded(t *testing.T) {
	var door recorder
	input := strings.Repeat(eventJSON("a")+"\n", 2*batchLines+1)
	if res, _, err := send(t, &door, SendRequest{Input: strings.NewReader(input)}); err != nil || res.Sent != 2*batchLines+1 {
		t.Fatalf("%+v %v", res, err)
	}
	if len(door.batches) != 3 || len(door.batches[0]) != batchLines {
		t.Errorf("%d batches", len(door.batches))
	}
}

func FuzzSend(f *testing.F) {
	f.Add([]byte(eventJSON("a")+"\n"+eventJSON("b")), false)
	f.Add([]byte("["+eventJSON("a")+",\n17]"), false)
	f.Add([]byte("{\n\"id\":1}"), false)
	f.Add([]byte("\x1f\x8b\x08"), true)
	f.Fuzz(func(t *testing.T, input []byte, unchecked bool) {
		var door recorder
		res, refused, err := send(t, &door, SendRequest{Input: strings.NewReader(string(input)), Unchecked: unchecked, MaxLine: 200})
		if err == nil && res.Failed != 0 || res.Refused != len(refused) {
			t.Fatalf("%+v %v", res, err)
		}
		line := 0
		for _, r := range refused {
			if r.Line < line || r.Line > 1+strings.Count(string(input), "\n") && err == nil && !strings.HasPrefix(string(input), "\x1f\x8b") {
				t.Fatalf("%+v in %q", refused, input)
			}
			line = r.Line
		}
	})
}
