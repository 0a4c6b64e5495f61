package queuetest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// anyText has characters of every length and the limits of what SQS takes.
const anyText = "\t\n\r ~\u007f\u0080é\u07ff\u0800漢\ud7ff\ue000\ufffd\U00010000😀\U0010ffff \"\\</&\u2028"

// everything is a message with ten attributes and all kinds of characters.
func everything() queue.Message {
	m := queue.Message{Body: []byte(anyText), Attributes: make(map[string]string)}
	for i := range queue.MaxAttributes {
		m.Attributes[fmt.Sprintf("name-%d_x.y", i)] = strings.Repeat(anyText, i+1)
	}
	return m
}

func sendRoundTrip(s *suite) {
	name, q := s.create(queue.Config{})
	for _, sent := range []queue.Message{everything(), text("no attributes"), text(" ")} {
		start := time.Now()
		s.send(q, sent)
		got := s.receiveOne(q, long)
		s.wantSame(got, sent)
		if got.ID == "" || got.Receipt == "" || got.ReceiveCount != 1 {
			s.Errorf("id %q, receipt %q, receive count %d", got.ID, got.Receipt, got.ReceiveCount)
		}
		// Generous, for clocks that differ.
		if d := got.Sent.Sub(start); d.Abs() > time.Minute {
			s.Errorf("sent time is %v off", d)
		}
		if d := got.FirstReceive.Sub(got.Sent); d < -time.Second || d > s.o.Settle+time.Minute {
			s.Errorf("first received %v after it was sent", d)
		}
		s.delete(q, got)
	}
	s.wantNone(q)
	s.wantTotal(name, 0)
}

func sendMoreThanABatch(s *suite) {
	name, q := s.create(queue.Config{})
	sent := numbered(3*queue.MaxBatch + 1)
	s.send(q, sent...)
	got := s.receive(q, len(sent), long)
	s.wantBodies(got, sent)
	s.delete(q, got...)
	s.wantTotal(name, 0)
}

func sendNothing(s *suite) {
	_, q := s.create(queue.Config{})
	if errs := q.Send(s.Context(), nil); len(errs) != 0 {
		s.Errorf("send of nothing: %v", errs)
	}
	if errs := q.Delete(s.Context(), nil); len(errs) != 0 {
		s.Errorf("delete of nothing: %v", errs)
	}
	s.wantNone(q)
}

func tooManyAttributes() map[string]string {
	m := everything().Attributes
	m["one-more"] = "x"
	return m
}

func sendBadEntries(s *suite) {
	name, q := s.create(queue.Config{})
	big := bytes.Repeat([]byte("x"), queue.MaxMessageBytes)
	entries := []struct {
		what string
		msg  queue.Message
		want error
	}{
		{"good", text("good 0"), nil},
		{"empty body", text(""), queue.ErrInvalid},
		{"NUL", text("a\x00b"), queue.ErrInvalid},
		{"escape character", text("\x1b[0m"), queue.ErrInvalid},
		{"good", text("good 1"), nil},
		{"U+FFFE", text("\ufffe"), queue.ErrInvalid},
		{"U+FFFF", text("x\uffff"), queue.ErrInvalid},
		{"not UTF-8", text("\xc3\x28"), queue.ErrInvalid},
		{"a surrogate", text("\xed\xa0\x80"), queue.ErrInvalid},
		{"eleven attributes", queue.Message{Body: []byte("x"), Attributes: tooManyAttributes()}, queue.ErrInvalid},
		{"empty attribute", queue.Message{Body: []byte("x"), Attributes: map[string]string{"a": ""}}, queue.ErrInvalid},
		{"attribute without a name", queue.Message{Body: []byte("x"), Attributes: map[string]string{"": "v"}}, queue.ErrInvalid},
		{"NUL in an attribute", queue.Message{Body: []byte("x"), Attributes: map[string]string{"a": "\x00"}}, queue.ErrInvalid},
		{"delay too long", queue.Message{Body: []byte("x"), Delay: queue.MaxDelay + time.Second}, queue.ErrInvalid},
		{"negative delay", queue.Message{Body: []byte("x"), Delay: -time.Second}, queue.ErrInvalid},
		{"body too large", queue.Message{Body: append([]byte("x"), big...)}, queue.ErrTooLarge},
		{"too large by its attributes", queue.Message{Body: big, Attributes: map[string]string{"a": "v"}}, queue.ErrTooLarge},
		{"good", text("good 2"), nil},
	}
	msgs := make([]queue.Message, len(entries))
	var good []queue.Message
	for i, e := range entries {
		msgs[i] = e.msg
		if e.want == nil {
			good = append(good, e.msg)
		}
	}
	errs := q.Send(s.Context(), msgs)
	if len(errs) != len(msgs) {
		s.Fatalf("%d errors for %d messages", len(errs), len(msgs))
	}
	for i, e := range entries {
		if !errors.Is(errs[i], e.want) {
			s.Errorf("%s (message %d): error %v, want %v", e.what, i, errs[i], e.want)
		}
	}
	s.wantBodies(s.receive(q, len(good), long), good)
	s.wantNone(q)
	s.wantTotal(name, len(good))
}

func sendLargest(s *suite) {
	_, q := s.create(queue.Config{})
	whole := bytes.Repeat([]byte("0123456789abcdef"), queue.MaxMessageBytes/16)
	withAttribute := queue.Message{ // the size counts the name, the type "String" and the value
		Body:       whole[:queue.MaxMessageBytes-len("name"+"String"+"value")],
		Attributes: map[string]string{"name": "value"},
	}
	sent := []queue.Message{{Body: whole}, withAttribute, {Body: whole[:600<<10]}, {Body: whole[:500<<10]}}
	s.send(q, sent...)
	got := s.receive(q, len(sent), long)
	s.wantBodies(got, sent)
	s.delete(q, got...)
}

func sendDelay(s *suite) {
	name, q := s.create(queue.Config{})
	start := time.Now()
	m := text("later")
	m.Delay = 2 * s.o.Tick
	s.send(q, m, text("now"))
	first := s.receiveOne(q, long)
	if string(first.Body) == "now" {
		first = s.receiveOne(q, long)
	}
	s.wantSame(first, text("later"))
	s.notBefore("the delayed message came", start, m.Delay)

	m.Delay = queue.MaxDelay
	s.send(q, m)
	s.eventually("one delayed message", func() (any, bool) {
		d := s.depth(name)
		return d, d.Delayed == 1 && d.InFlight == 2 && d.Visible == 0
	})
	s.wantNone(q)
}

func sendQueueDelay(s *suite) {
	_, q := s.create(queue.Config{Delay: 2 * s.o.Tick})
	start := time.Now()
	s.send(q, text("x"))
	s.receiveOne(q, long)
	s.notBefore("the message came", start, 2*s.o.Tick)
}
