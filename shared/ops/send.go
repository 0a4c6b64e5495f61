package ops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/time/rate"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

// Door takes events into the pipeline: its Kafka topic, or its HTTP endpoint.
type Door interface {
	// Send hands the lines over, in order, and waits for the answer: one error per line;
	// nil means that the pipeline has it durably. An error of kind fault.Permanent means
	// that the door refused this line; with any other it may or may not have it, and
	// sending stops. It is called by one goroutine.
	Send(ctx context.Context, batch []Line) []error
}

// SendRequest says what to send.
type SendRequest struct {
	Input io.Reader // NDJSON, a JSON array of events, or one JSON event; gzip or not
	// Live hands over every line as soon as it is read, for input that goes on for ever.
	Live bool
	// Unchecked sends every line that is not empty as it stands, event or not.
	Unchecked bool
	MaxLine   int     // bytes of one line; longer ones are refused
	Rate      float64 // lines a second; 0: as fast as the door takes them
	Now       func() time.Time

	Refused  func(Refusal)    // called for every refused line, in order; nil: nobody looks
	Progress func(SendResult) // called after every batch; nil: nobody looks
}

// Refusal says why a line was not sent.
type Refusal struct {
	Line    int          `json:"line"`
	Element int          `json:"element,omitempty"` // of a JSON array, from 1
	Reason  fault.Reason `json:"reason"`
	Detail  string       `json:"detail,omitempty"`
}

// SendResult counts lines.
type SendResult struct {
	Sent    int           `json:"sent"`
	Refused int           `json:"refused"`
	Failed  int           `json:"failed"` // the pipeline may or may not have them
	Bytes   int64         `json:"bytes"`  // of the lines sent
	Elapsed time.Duration `json:"-"`
	// Line is the last one up to which every line was sent or refused: after a failure,
	// what comes after it has to be sent again.
	Line int `json:"last_line"`
}

// Batches are large, so that the round trip to the door counts little.
const (
	batchLines = 10_000
	batchBytes = 4 << 20
)

// grace is how long the batch that is on its way may take when ctx is done.
const grace = 10 * time.Second

// Send reads events and hands them to the door, in order. It ends at the end of the
// input, when ctx is done (after the batch on its way), or at the first failure of the
// input or the door; the result says what was done until then. Sending the same events
// again is safe: the pipeline keeps each once, by source and id.
//
// When ctx ends while the input's Read blocks, Send returns without waiting for Read.
func Send(ctx context.Context, door Door, req SendRequest) (SendResult, error) {
	s := sender{door: door, req: req, limit: rate.NewLimiter(rate.Inf, 0)}
	if req.Rate > 0 { // ten batches a second, so that the rate is even
		s.limit = rate.NewLimiter(rate.Limit(req.Rate), max(1, int(req.Rate/10)))
	}
	s.start = req.Now()
	err := s.run(ctx)
	return s.soFar(), err
}

type sender struct {
	door   Door
	req    SendRequest
	limit  *rate.Limiter
	start  time.Time
	result SendResult
}

func (s *sender) soFar() SendResult {
	s.result.Elapsed = s.req.Now().Sub(s.start)
	return s.result
}

// chunk is a batch, or why there is no further one.
type chunk struct {
	lines []Line
	err   error
}

func (s *sender) run(ctx context.Context) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	chunks := make(chan chunk)
	go s.read(reading, chunks)

	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })()

	for {
		var c chunk
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case c = <-chunks:
		}
		if c.err != nil {
			return readError(c.err)
		}
		if err := s.send(ctx, sending, c.lines); err != nil {
			return err
		}
		if s.req.Progress != nil {
			s.req.Progress(s.soFar())
		}
	}
}

// readError says why the input could not be read further; nil at its end.
func readError(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the input breaks off in the middle of its gzip data")
	default:
		return fmt.Errorf("read the input: %w", err)
	}
}

// read cuts the input into batches; the last chunk has an error, io.EOF at the end.
func (s *sender) read(ctx context.Context, out chan<- chunk) {
	put := func(c chunk) bool {
		select {
		case out <- c:
			return true
		case <-ctx.Done():
			return false
		}
	}
	in, err := openInput(s.req.Input, !s.req.Unchecked, s.req.MaxLine)
	if err != nil {
		put(chunk{err: err})
		return
	}
	most := batchLines
	if b := s.limit.Burst(); b > 0 {
		most = min(most, b)
	}
	var batch []Line
	var size int
	for {
		l, err := in.next()
		if err == nil {
			batch = append(batch, l)
			size += len(l.Raw)
		}
		full := len(batch) >= most || size >= batchBytes || s.req.Live && !in.ready()
		if len(batch) > 0 && (full || err != nil) {
			if !put(chunk{lines: batch}) {
				return
			}
			batch, size = nil, 0
		}
		if err != nil {
			put(chunk{err: err})
			return
		}
	}
}

// send sends the good lines of a batch and notes the others. Waiting for the rate ends
// with ctx; what is on its way has until sending ends.
func (s *sender) send(ctx, sending context.Context, batch []Line) error {
	good := make([]Line, 0, len(batch))
	for _, l := range batch {
		if l.Err == nil {
			good = append(good, l)
		}
	}
	var errs []error
	if len(good) > 0 {
		if s.limit.Burst() > 0 {
			if err := s.limit.WaitN(ctx, len(good)); err != nil {
				return err
			}
		}
		errs = s.door.Send(sending, good)
	}
	return s.note(batch, errs)
}

// note counts what became of a batch. errs are the door's, of the lines without an error
// of their own.
func (s *sender) note(batch []Line, errs []error) (failure error) {
	for _, l := range batch {
		err := l.Err
		if err == nil {
			err, errs = errs[0], errs[1:]
		}
		switch {
		case err == nil:
			s.result.Sent++
			s.result.Bytes += int64(len(l.Raw))
		case fault.KindOf(err) == fault.Permanent:
			s.refuse(l, err)
		default:
			s.result.Failed++
			if failure == nil {
				failure = err
			}
		}
		if failure == nil {
			s.result.Line = l.Number
		}
	}
	return failure
}

func (s *sender) refuse(l Line, err error) {
	s.result.Refused++
	if s.req.Refused == nil {
		return
	}
	r := Refusal{Line: l.Number, Element: l.Element, Reason: fault.ReasonOf(err)}
	var f *fault.Error
	if errors.As(err, &f) {
		r.Detail = f.Detail
		if r.Detail == "" && f.Err != nil {
			r.Detail = f.Err.Error()
		}
	}
	s.req.Refused(r)
}
