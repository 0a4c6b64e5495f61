package kafkaio_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
)

// groupRequests steers what a group's coordinator answers.
type groupRequests struct {
	mu      sync.Mutex
	putOut  bool    // answer heartbeats and commits as if the member was not in the group
	commits []int64 // offsets that a commit named
	refused int     // commits answered so
}

func (g *groupRequests) control(c *kfake.Cluster) {
	c.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		g.mu.Lock()
		defer g.mu.Unlock()
		if !g.putOut {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
		resp.ErrorCode = kerr.UnknownMemberID.Code
		return resp, nil, true
	})
	c.ControlKey(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		g.mu.Lock()
		defer g.mu.Unlock()
		commit := req.(*kmsg.OffsetCommitRequest)
		resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
		for _, t := range commit.Topics {
			rt := kmsg.OffsetCommitResponseTopic{Topic: t.Topic, TopicID: t.TopicID}
			for _, p := range t.Partitions {
				g.commits = append(g.commits, p.Offset)
				rt.Partitions = append(rt.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: kerr.UnknownMemberID.Code})
			}
			resp.Topics = append(resp.Topics, rt)
		}
		if !g.putOut {
			return nil, nil, false
		}
		g.refused++
		return resp, nil, true
	})
}

func (g *groupRequests) set(putOut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.putOut = putOut
}

// controlled is a kfake whose coordinator g steers, with a topic of one partition.
func controlled(t *testing.T, g *groupRequests) (addr, topic string) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	g.control(c)
	return c.ListenAddrs()[0], "t"
}

// lineWatch tells when a line with a text is logged.
type lineWatch struct {
	text string
	seen chan<- struct{}
}

func (w *lineWatch) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, w.text) {
		w.seen <- struct{}{}
	}
	return nil
}
func (w *lineWatch) Enabled(context.Context, slog.Level) bool { return true }
func (w *lineWatch) WithAttrs([]slog.Attr) slog.Handler       { return w }
func (w *lineWatch) WithGroup(string) slog.Handler            { return w }

// TestPutOutOfTheGroup: the group puts a member out while it has a batch. Another member
// may have the partition by then, so the batch is not committed. The member joins again and
// gets the records again.
func TestPutOutOfTheGroup(t *testing.T) {
	g := &groupRequests{}
	addr, topic := controlled(t, g)
	produce(t, addr, topic, 0, 10)
	j := newJournal()
	putOut := make(chan struct{}, 10)
	begun, end := make(chan struct{}, 10), make(chan struct{})
	startSource(t, addr, kafkaio.SourceOptions{
		Group: topic, Topics: []string{topic}, Log: slog.New(&lineWatch{"put this member out", putOut}),
		Handle: j.handle(func(context.Context, []*kgo.Record) (map[kafkaio.Partition]int64, error) {
			begun <- struct{}{}
			<-end
			return nil, nil
		}),
	})
	<-begun
	g.set(true)
	<-putOut
	g.set(false)
	close(end)
	<-begun // again
	eventually(t, func() error { return errUnless(totalLag(t, addr, topic, topic) == 0, "not committed yet") })
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.commits) != 1 {
		t.Errorf("commits of offsets %v, want one: of the second time", g.commits)
	}
	for i, times := range j.ids {
		if times != 2 {
			t.Errorf("record %s was done %d times", i, times)
		}
	}
}

// TestCommitRefused: a commit that says that the member is not in the group is not tried
// for ever; the member goes on.
func TestCommitRefused(t *testing.T) {
	g := &groupRequests{putOut: true}
	addr, topic := controlled(t, g)
	produce(t, addr, topic, 0, 10)
	j := newJournal()
	startSource(t, addr, kafkaio.SourceOptions{Group: topic, Topics: []string{topic}, Handle: j.handle(succeed)})
	j.await(t, 10)
	eventually(t, func() error {
		g.mu.Lock()
		defer g.mu.Unlock()
		return errUnless(g.refused > 0, "no commit yet")
	})
	g.set(false)
	eventually(t, func() error { return errUnless(totalLag(t, addr, topic, topic) == 0, "not committed yet") })
}
