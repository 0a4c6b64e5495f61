package kafkaio_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// TestOneTooLargeRecord fails alone, for good; its neighbours are written.
func TestOneTooLargeRecord(t *testing.T) {
	onEachBroker(t, func(t *testing.T, k kind) {
		addr := k.shared(t)
		topic := newTopic(t, addr, 1)
		p := newProducer(t, addr, topic)
		errs := p.Send(t.Context(), []*kgo.Record{
			{Value: []byte("before")}, {Value: bytes.Repeat([]byte("x"), 3<<20)}, {Value: []byte("after")},
		})
		if errs[0] != nil || errs[2] != nil {
			t.Errorf("neighbours: %v, %v", errs[0], errs[2])
		}
		if fault.KindOf(errs[1]) != fault.Permanent || fault.ReasonOf(errs[1]) != fault.TooLarge {
			t.Errorf("err = %v (%v)", errs[1], fault.KindOf(errs[1]))
		}
		if n := totalLag(t, addr, "nobody", topic); n != 2 {
			t.Errorf("%d records are there, want 2", n)
		}
	})
}

// TestBurstOfRecords: together larger than the topic takes in a batch, each of them small.
func TestBurstOfRecords(t *testing.T) {
	onEachBroker(t, func(t *testing.T, k kind) {
		addr := k.shared(t)
		topic := newTopic(t, addr, 1)
		p := newProducer(t, addr, topic)
		records := make([]*kgo.Record, 50)
		for i := range records {
			records[i] = &kgo.Record{Value: randomBytes(100_000 + i)} // different, so that they do not compress
		}
		for _, err := range p.Send(t.Context(), records) {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	x := uint32(n)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func TestProducerWithoutTopic(t *testing.T) {
	onEachBroker(t, func(t *testing.T, k kind) {
		addr := k.shared(t)
		_, err := kafkaio.NewProducer(t.Context(), config(addr), "no-such-topic")
		if err == nil || !strings.Contains(err.Error(), `topic "no-such-topic" does not exist`) {
			t.Errorf("err = %v", err)
		}
		_, err = kafkaio.NewSource(t.Context(), config(addr), kafkaio.SourceOptions{
			Group: "g", Topics: []string{newTopic(t, addr, 1), "no-such-topic"}, Handle: succeed,
		})
		if err == nil || !strings.Contains(err.Error(), `topic "no-such-topic" does not exist`) {
			t.Errorf("err = %v", err)
		}
	})
}

// TestProducerWithoutBroker: a record that cannot be delivered gets an error that passes,
// and one that is on its way when its context ends too.
func TestProducerWithoutBroker(t *testing.T) {
	own := ownKfake(t)
	topic := newTopic(t, own.addr, 1)
	p := newProducer(t, own.addr, topic)
	own.kill(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	p.Produce(ctx, kgo.StringRecord("x"), func(err error) { done <- err })
	err := <-done
	if !errors.Is(err, context.DeadlineExceeded) || fault.KindOf(err) != fault.Transient || fault.ReasonOf(err) != fault.PublishFailed {
		t.Errorf("err = %v", err)
	}
	own.start(t)
	if err := p.Send(t.Context(), []*kgo.Record{kgo.StringRecord("y")})[0]; err != nil {
		t.Errorf("with the broker back: %v", err)
	}
	if err := p.Flush(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRecordsOfOneKeyStayTogether: events with the same partitionkey go to one partition,
// in order.
func TestRecordsOfOneKeyStayTogether(t *testing.T) {
	addr := sharedKfake(t)
	topic := newTopic(t, addr, 8)
	p := newProducer(t, addr, topic)
	var records []*kgo.Record
	for _, key := range []string{"a", "b", "c", "d", "a", "b", "c", "d"} {
		e, err := event.New("urn:test", "1", "t").Set("partitionkey", key).Build()
		if err != nil {
			t.Fatal(err)
		}
		r := kafkaio.RecordOf(&e)
		if string(r.Key) != key || !bytes.Equal(r.Value, e.JSON()) || len(r.Headers) == 0 {
			t.Fatalf("record %+v", r)
		}
		records = append(records, r)
	}
	for _, err := range p.Send(t.Context(), records) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 4 {
		if records[i].Partition != records[i+4].Partition || records[i].Offset >= records[i+4].Offset {
			t.Errorf("key %s: %d@%d, then %d@%d", records[i].Key, records[i].Partition, records[i].Offset, records[i+4].Partition, records[i+4].Offset)
		}
	}
	// murmur2, as Java's producer has it: "a" goes to 1 of 8 there.
	if records[0].Partition != javaPartition([]byte("a"), 8) {
		t.Errorf("key a is in partition %d", records[0].Partition)
	}
}

// javaPartition is org.apache.kafka.common.utils.Utils.murmur2 and toPositive, modulo n.
func javaPartition(key []byte, n int32) int32 {
	const seed, m, r = 0x9747b28c, 0x5bd1e995, 24
	h := uint32(seed) ^ uint32(len(key))
	for len(key) >= 4 {
		k := uint32(key[0]) | uint32(key[1])<<8 | uint32(key[2])<<16 | uint32(key[3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h = h*m ^ k
		key = key[4:]
	}
	for i := len(key) - 1; i >= 0; i-- {
		h ^= uint32(key[i]) << (8 * i)
		if i == 0 {
			h *= m
		}
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return int32(h&0x7fffffff) % n
}
