package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/embedded"
	"github.com/millrace-pipeline/millrace/shared/ops"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

type sendOptions struct {
	kafka     string
	cluster   clusterOptions
	http      string
	unchecked bool
	rate      float64
}

// refusalsShown is how many refused lines are listed for people; --json has all.
const refusalsShown = 10

func newSend(e env, g *globalOptions) *cobra.Command {
	var o sendOptions
	c := &cobra.Command{
		Use:   "send FILE|-",
		Short: "Send events from a file",
		Long: "Send CloudEvents to the pipeline that runs in the data directory, to the deployed one that --target and --env name " +
			"(its SQS queue), or to any Kafka or HTTP endpoint.\n\n" +
			"FILE has one event a line (NDJSON), or is a JSON array of events, or one event; gzip is recognised by content. " +
			"- is standard input, whose lines are sent as they come. Each event is checked first: one that is no valid " +
			"CloudEvent is not sent, but listed with its line and the reason.\n\n" +
			"Sending again is safe: the pipeline keeps each event once, by its source and id.\n\n" +
			"With --json: {\"sent\", \"refused\", \"failed\", \"bytes\", \"last_line\", \"seconds\", \"refusals\": [{\"line\", \"reason\", \"detail\"}]}.",
		Annotations: exits(exitRefused),
		Example: "  millrace send events.ndjson.gz\n" +
			"  tail -f app.ndjson | millrace send -\n" +
			"  millrace send --kafka broker-1:9092,broker-2:9092 --rate 5000 events.ndjson\n" +
			"  millrace send --http http://localhost:8080/events event.json\n" +
			"  millrace send --target aws --env prod events.ndjson",
		Args: oneArg("a FILE, or - for standard input"),
		RunE: func(c *cobra.Command, args []string) error {
			if o.kafka == "" && c.Flags().Changed("topic") {
				return usageError("--topic goes with --kafka: a running pipeline has its own topic")
			}
			return runSend(c.Context(), e, g, o, args[0])
		},
	}
	c.Flags().StringVar(&o.kafka, "kafka", "", "send to these Kafka `brokers` (host:port, separated by commas) instead of the running pipeline")
	c.Flags().StringVar(&o.cluster.topic, "topic", embedded.Topic, "the Kafka `topic`, with --kafka")
	o.cluster.security(c)
	c.Flags().StringVar(&o.http, "http", "", "send with POST to this `URL` instead; requests to a Lambda function URL are signed with your AWS credentials")
	c.Flags().BoolVar(&o.unchecked, "unchecked", false, "send every line that is not empty as it is, to see what the pipeline makes of it")
	c.Flags().Float64Var(&o.rate, "rate", 0, "send at most `N` lines a second")
	return c
}

func runSend(ctx context.Context, e env, g *globalOptions, o sendOptions, file string) error {
	if o.rate < 0 {
		return usageError("--rate is %g: it must not be negative", o.rate)
	}
	settings, err := spec.Load(e.environ)
	if err != nil {
		return err
	}
	in, err := openSource(e, file)
	if err != nil {
		return err
	}
	defer in.Close()
	door, err := openDoor(ctx, e, g, o)
	if err != nil {
		return err
	}
	defer door.close()

	r := sendReport{env: e, json: g.json, where: door.where}
	bar := newProgress(e, in)
	res, err := ops.Send(ctx, door, ops.SendRequest{
		Input: in, Live: in.live, Unchecked: o.unchecked, MaxLine: maxLine(settings.MaxEventBytes, o.unchecked),
		Rate: o.rate, Now: e.now, Refused: r.refused, Progress: bar.update,
	})
	bar.close()
	return r.end(res, err)
}

// maxLine is how long a line may be. Unchecked ones may be longer than an event, to see
// the pipeline refuse them.
func maxLine(maxEvent int, unchecked bool) int {
	if unchecked {
		return 4 * maxEvent
	}
	return maxEvent
}

// source is what is sent.
type source struct {
	io.ReadCloser
	live bool         // it may never end
	size int64        // bytes; 0 where unknown
	read atomic.Int64 // bytes so far; the bar reads it while the sender reads on
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.read.Add(int64(n))
	return n, err
}

func openSource(e env, file string) (*source, error) {
	if file == "-" {
		return &source{ReadCloser: io.NopCloser(e.stdin), live: true}, nil
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no file %s", file)
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s is a directory: name a file", file)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &source{ReadCloser: f, live: !info.Mode().IsRegular(), size: info.Size()}, nil
}

// door is where events go, opened.
type door struct {
	ops.Door
	where string
	close func()
}

func openDoor(ctx context.Context, e env, g *globalOptions, o sendOptions) (door, error) {
	if o.kafka != "" && o.http != "" {
		return door{}, usageError("--kafka and --http contradict each other: give one of them")
	}
	if o.http != "" {
		u, err := url.Parse(o.http)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return door{}, usageError("--http %q is no URL such as http://localhost:8080/events", o.http)
		}
		return newHTTPDoor(ctx, e, u)
	}
	if o.kafka != "" {
		c, err := o.cluster.config(e, o.kafka)
		if err != nil {
			return door{}, err
		}
		return newKafkaDoor(ctx, c, o.cluster.topic)
	}
	t, err := newTarget(e, g)
	if err != nil {
		return door{}, err
	}
	defer t.close()
	return t.door(ctx, &o.cluster)
}

// sendReport says what became of the lines.
type sendReport struct {
	env      env
	json     bool
	where    string
	refusals []ops.Refusal
}

func (r *sendReport) refused(l ops.Refusal) {
	if r.json || len(r.refusals) < refusalsShown {
		r.refusals = append(r.refusals, l)
	}
}

func (r *sendReport) end(res ops.SendResult, err error) error {
	if r.json {
		if err := writeJSON(r.env.stdout, struct {
			ops.SendResult
			Seconds  float64       `json:"seconds"`
			Refusals []ops.Refusal `json:"refusals"`
		}{res, res.Elapsed.Round(time.Millisecond).Seconds(), append([]ops.Refusal{}, r.refusals...)}); err != nil {
			return err
		}
	} else if err := r.human(res); err != nil {
		return err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &exitError{exitInterrupted, fmt.Errorf("interrupted; the lines up to line %d are done, send the rest again", res.Line)}
	case err != nil && res.Line > 0:
		return fmt.Errorf("%w; the lines up to line %d are done, send the rest again", err, res.Line)
	case err != nil:
		return err
	case res.Refused > 0:
		return &exitError{code: exitRefused}
	}
	return nil
}

func (r *sendReport) human(res ops.SendResult) error {
	s := fmt.Sprintf("sent %s to %s in %s", count(res.Sent, "event"), r.where, latency(res.Elapsed))
	if secs := res.Elapsed.Seconds(); secs >= 0.1 && res.Sent > 0 {
		s += fmt.Sprintf(" (%s/s, %s/s)", number(int64(float64(res.Sent)/secs)), size(int64(float64(res.Bytes)/secs)))
	}
	if _, err := fmt.Fprintln(r.env.stdout, s); err != nil {
		return err
	}
	if res.Refused == 0 {
		return nil
	}
	fmt.Fprintf(r.env.stderr, "refused %s, not sent:\n", count(res.Refused, "line"))
	for _, l := range r.refusals {
		at := fmt.Sprintf("line %d", l.Line)
		if l.Element > 0 {
			at += fmt.Sprintf(" (element %d)", l.Element)
		}
		fmt.Fprintf(r.env.stderr, "  %s: %s: %s\n", at, l.Reason, oneLine(l.Detail))
	}
	if more := res.Refused - len(r.refusals); more > 0 {
		fmt.Fprintf(r.env.stderr, "  and %s more; --json lists all\n", number(more))
	}
	return nil
}
