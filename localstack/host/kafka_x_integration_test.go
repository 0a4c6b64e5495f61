//go:build integration

package host

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestIntegrationKafka(t *testing.T) {
	ctx := t.Context()
	m, err := NewKafka(KafkaOptions{Dir: t.TempDir(), Users: map[string]string{"u": "p"}})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Kill(context.Background()) })
	t.Log("up", time.Since(start), m.Addr(), m.SecureAddr())
	c, err := kgo.NewClient(kgo.SeedBrokers(m.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kadm.NewClient(c).CreateTopic(ctx, 1, 1, nil, "a"); err != nil {
		t.Fatal(err)
	}
	for _, end := range []func(context.Context) error{m.Stop, m.Kill} {
		start = time.Now()
		if err := end(ctx); err != nil {
			t.Fatal(err)
		}
		t.Log("down", time.Since(start))
		start = time.Now()
		if err := m.Start(ctx); err != nil {
			t.Fatal(err)
		}
		t.Log("up", time.Since(start))
		if err := c.ProduceSync(ctx, &kgo.Record{Topic: "a", Value: []byte("x")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		t.Log("produce", time.Since(start))
	}
}
