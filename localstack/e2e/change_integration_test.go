//go:build integration

package e2e

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/localstack/harness/deployed"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// changeRate is the load, in events a second, under which functions are changed.
const changeRate = 400

// change: a deployment without a change says so. Changed functions are deployed, and
// rolled back, under load, and no event is lost.
func (d *deployment) change(t *testing.T) {
	out, err := d.Deploy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out, "(no changes)"); n != 2 {
		t.Errorf("%d of 2 stacks say that nothing has changed:\n%s", n, out)
	}

	events := load{kafka: d.Kafka.Addr, topic: d.Topic, source: "/change", perSecond: changeRate}.start(t)
	before := make(map[string]int)
	for _, s := range spec.Stages {
		before[s.Name] = d.version(t, s.Name)
		changeFunction(t, filepath.Join(d.Top, "build", "functions", runtime.GOARCH, s.Name+".zip"))
	}
	if _, err := d.Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range spec.Stages {
		now := d.version(t, s.Name)
		if now == before[s.Name] {
			t.Errorf("%s is still at version %d", s.Name, now)
		}
		d.awaitVersion(t, s.Name, now)
	}
	d.millrace.Run(t, "rollback", "--execute")
	for _, s := range spec.Stages {
		if now := d.version(t, s.Name); now != before[s.Name] {
			t.Errorf("%s is at version %d after the rollback, and was at %d", s.Name, now, before[s.Name])
		}
		d.awaitVersion(t, s.Name, before[s.Name])
	}
	sent := events.stop()
	d.awaitStored(t, "/change", sent, 5*time.Minute)
	p50, p99 := latency(d.events(t, store.Filter{Source: "/change"}))
	t.Logf("%d events meanwhile, %d a second: from received to stored p50 %s, p99 %s", sent, changeRate, p50, p99)
	d.awaitIdle(t, 5*time.Minute)
	d.checkDerived(t)
	d.wantDead(t, 0)
}

// version is the one that the alias of a function points at.
func (d *deployment) version(t *testing.T, function string) int {
	t.Helper()
	v, err := d.Function(function).Versions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v.Live
}

// awaitVersion waits until a version of a function works.
func (d *deployment) awaitVersion(t *testing.T, function string, version int) {
	t.Helper()
	deployed.Await(t, fmt.Sprintf("%s at version %d", function, version), time.Minute, func(context.Context) error {
		for _, p := range d.Processes(function) {
			if p.Version == strconv.Itoa(version) {
				return nil
			}
		}
		return fmt.Errorf("no process of it: %v", d.Processes(function))
	})
}

// changeFunction gives a function's zip another hash, and the old one back after the test:
// the archive gets a comment.
func changeFunction(t *testing.T, zip string) {
	t.Helper()
	old, err := os.ReadFile(zip)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(zip, old, 0o644); err != nil {
			t.Error(err)
		}
	})
	// APPNOTE.TXT 4.3.16: the archive ends with the length of the comment and the comment.
	comment := "changed"
	changed := append(old[:len(old)-2:len(old)-2], 0, 0)
	binary.LittleEndian.PutUint16(changed[len(changed)-2:], uint16(len(comment)))
	if err := os.WriteFile(zip, append(changed, comment...), 0o644); err != nil {
		t.Fatal(err)
	}
}
