package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/ops"
)

type dlqShowOptions struct {
	raw bool
}

func newDLQShow(e env, g *globalOptions) *cobra.Command {
	var o dlqShowOptions
	c := &cobra.Command{
		Use:   "show ID",
		Short: "Print one dead letter: why it failed, and what arrived",
		Long: "Print one dead letter: why it failed, and the bytes that arrived. ID is the event's or the message's, as `millrace dlq list` has it.\n\n" +
			"--raw prints the bytes that arrived and nothing else. With --json they are in \"body\", or in \"body_base64\" where they are no text.",
		Annotations: exits(exitNotFound),
		Example: "  millrace dlq show 2013-01-01/UA/1545/EWR/0515\n" +
			"  millrace dlq show --raw 0192f3a1-77aa-7c1e-9d7e-0f7c6a2b9d11 > what-arrived",
		Args: oneArg("the ID of a dead letter"),
		RunE: func(c *cobra.Command, args []string) error { return runDLQShow(c.Context(), e, g, o, args[0]) },
	}
	c.Flags().BoolVar(&o.raw, "raw", false, "print only the bytes that arrived, unchanged")
	return c
}

func runDLQShow(ctx context.Context, e env, g *globalOptions, o dlqShowOptions, id string) error {
	if o.raw && g.json {
		return usageError("--raw and --json contradict each other: give one of them")
	}
	t, err := newTarget(e, g)
	if err != nil {
		return err
	}
	defer t.close()
	dlq, err := deadLetters(ctx, e, t)
	if err != nil {
		return err
	}
	found, err := dlq.Find(ctx, id)
	if err != nil {
		return err
	}
	switch {
	case len(found) == 0:
		return &exitError{exitNotFound, fmt.Errorf("there is no dead letter with the id %q: `millrace dlq list` has all", id)}
	case len(found) > 1:
		return severalLetters(id, found)
	case o.raw:
		_, err = e.stdout.Write(found[0].Body)
		return err
	case g.json:
		return writeJSON(e.stdout, newLetterJSON(&found[0]))
	}
	return writeLetter(e.stdout, &found[0])
}

func severalLetters(id string, found []ops.Original) error {
	var s []string
	for i := range found {
		s = append(s, fmt.Sprintf("%s (%s, %s)", found[i].ID, found[i].Stage, found[i].Reason))
	}
	return usageError("%d dead letters are of events with the id %q: name one by its message: %s", len(found), id, strings.Join(s, ", "))
}

// letterJSON is a dead letter with what arrived, as --json writes it.
type letterJSON struct {
	ops.DeadLetter
	Attributes map[string]string `json:"attributes,omitempty"` // of the sender
	Kafka      *recordOrigin     `json:"kafka,omitempty"`
	Body       *string           `json:"body,omitempty"`
	BodyBase64 []byte            `json:"body_base64,omitempty"`
}

// recordOrigin is what a Kafka record had besides its value.
type recordOrigin struct {
	Topic     string         `json:"topic"`
	Partition int32          `json:"partition"`
	Offset    int64          `json:"offset"`
	Key       []byte         `json:"key_base64,omitempty"`
	Headers   []recordHeader `json:"headers,omitempty"`
}

type recordHeader struct {
	Name  string `json:"name"`
	Value []byte `json:"value_base64"`
}

func newLetterJSON(o *ops.Original) letterJSON {
	j := letterJSON{DeadLetter: o.DeadLetter, Attributes: o.Attributes}
	if k := o.Kafka; k != nil {
		j.Kafka = &recordOrigin{Topic: k.Topic, Partition: k.Partition, Offset: k.Offset, Key: k.Key}
		for _, h := range k.Headers {
			j.Kafka.Headers = append(j.Kafka.Headers, recordHeader(h))
		}
	}
	if utf8.Valid(o.Body) {
		text := string(o.Body)
		j.Body = &text
	} else {
		j.BodyBase64 = o.Body
	}
	return j
}

func writeLetter(w io.Writer, o *ops.Original) error {
	var b bytes.Buffer
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-15s%s\n", name, cell(value))
		}
	}
	info := o.Reason.Info()
	line("Reason", string(o.Reason))
	line("Meaning", info.Meaning)
	line("Error", o.Error)
	line("Do", info.Fix)
	line("Stage", stageOf(o.Queue, o.Stage))
	line("Attempt", number(o.Attempt))
	line("First failure", timestamp(o.FirstFailure))
	line("Dead since", timestamp(o.Sent))
	if o.Redrives > 0 {
		line("Redriven", count(o.Redrives, "time"))
	}
	line("Message", o.ID)
	line("Event id", o.EventID)
	line("Event source", o.EventSource)
	line("Event type", o.EventType)
	writeBatch(line, o.Batch)
	writeOrigin(line, o)
	line("Problem", o.Problem)
	line("Size", size(o.Size))
	b.WriteByte('\n')
	writeBody(&b, o.Body)
	_, err := w.Write(b.Bytes())
	return err
}

func writeOrigin(line func(name, value string), o *ops.Original) {
	if k := o.Kafka; k != nil {
		line("Kafka", fmt.Sprintf("topic %s, partition %d, offset %d", k.Topic, k.Partition, k.Offset))
		line("Key", string(k.Key))
		for _, h := range k.Headers {
			line("Header", h.Name+": "+string(h.Value))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.Attributes)) {
		line("Attribute", name+": "+o.Attributes[name])
	}
}

// hexShown is how much is shown of what arrived where it is no text.
const hexShown = 512

// writeBody writes text as it is, and anything that could do something to a terminal as
// a hexadecimal dump.
func writeBody(b *bytes.Buffer, body []byte) {
	if isText(body) {
		b.Write(body)
		if !bytes.HasSuffix(body, []byte("\n")) {
			b.WriteByte('\n')
		}
		return
	}
	b.WriteString(hex.Dump(body[:min(len(body), hexShown)]))
	if len(body) > hexShown {
		fmt.Fprintf(b, "… the first %s of %s; --raw prints all\n", size(hexShown), size(len(body)))
	}
}

func isText(b []byte) bool {
	return utf8.Valid(b) && !bytes.ContainsFunc(b, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t'
	})
}
