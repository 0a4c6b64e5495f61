package main

import (
	"fmt"

	"github.com/schollz/progressbar/v3"

	"github.com/millrace-pipeline/millrace/shared/ops"
)

// progress shows people how far a file has been read. Its zero value shows nothing.
type progress struct {
	bar *progressbar.ProgressBar
	in  *source
}

// newProgress shows nothing unless standard error is a terminal.
func newProgress(e env, in *source) *progress {
	if !e.isTerminal(e.stderr) {
		return new(progress)
	}
	total := in.size
	if in.live {
		total = -1
	}
	return &progress{in: in, bar: progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(e.stderr),
		progressbar.OptionSetWidth(30),
		progressbar.OptionSetDescription("sending"),
		progressbar.OptionSetElapsedTime(true),
		progressbar.OptionSetPredictTime(total > 0),
		progressbar.OptionThrottle(100_000_000),
		progressbar.OptionClearOnFinish(),
	)}
}

func (p *progress) update(r ops.SendResult) {
	if p.bar == nil {
		return
	}
	s := count(r.Sent, "event")
	if r.Refused > 0 {
		s += fmt.Sprintf(", %s refused", number(r.Refused))
	}
	p.bar.Describe(s)
	_ = p.bar.Set64(p.in.read.Load()) // only drawing can fail
}

// close takes the bar away.
func (p *progress) close() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
