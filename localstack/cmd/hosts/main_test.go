package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, messages bytes.Buffer
	c := newCommand()
	c.SetArgs(args)
	c.SetOut(&out)
	c.SetErr(&messages)
	err = c.ExecuteContext(t.Context())
	return out.String(), messages.String(), err
}

func TestStatusOfNothing(t *testing.T) {
	out, _, err := run(t, "status", "--dir", t.TempDir())
	if !errors.Is(err, errDown) || out != "mongo\tdown\nkafka\tdown\nlocalstack\tdown\n" {
		t.Errorf("%q, %v", out, err)
	}
}

func TestDownOfNothing(t *testing.T) {
	_, messages, err := run(t, "down", "--dir", t.TempDir(), "--only", "kafka")
	if err != nil || messages != "kafka: not running\n" {
		t.Errorf("%q, %v", messages, err)
	}
}

func TestUnknownService(t *testing.T) {
	_, _, err := run(t, "up", "--dir", t.TempDir(), "--only", "mongo,postgres")
	if err == nil || !strings.Contains(err.Error(), "postgres") {
		t.Errorf("err = %v", err)
	}
}
