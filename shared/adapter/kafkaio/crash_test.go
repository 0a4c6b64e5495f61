package kafkaio_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
)

const crashRecords = 25 // of a batch of playConsumer

// playConsumer does records until it is killed: it appends to a file what it has done,
// batch by batch.
func playConsumer(addr, topic, file string) {
	err := consume(addr, topic, file)
	fmt.Println("error:", err)
	os.Exit(1)
}

func consume(addr, topic, file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	s, err := kafkaio.NewSource(context.Background(), config(addr), kafkaio.SourceOptions{
		Group: topic, Topics: []string{topic}, Records: crashRecords, Concurrency: 2,
		Handle: func(_ context.Context, batch []*kgo.Record) (map[kafkaio.Partition]int64, error) {
			time.Sleep(2 * time.Millisecond) // work, so that a kill meets batches under way
			var lines strings.Builder
			for _, r := range batch {
				fmt.Fprintf(&lines, "%d %d %s\n", r.Partition, r.Offset, r.Value)
			}
			_, err := f.WriteString(lines.String())
			return nil, err
		},
	})
	if err != nil {
		return err
	}
	fmt.Println("joined")
	s.Run(context.Background())
	return nil
}
