package main

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/millrace-pipeline/millrace/shared/embedded"
	"github.com/millrace-pipeline/millrace/shared/queue"
)

// kafkaDelete TOPIC PARTITION OFFSET deletes the records before the offset, as the topic's
// retention would.
func kafkaDelete(ts *testscript.TestScript, _ bool, args []string) {
	partition, err := strconv.ParseInt(args[1], 10, 32)
	ts.Check(err)
	offset, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(ts.Getenv("KAFKA"), ",")...))
	ts.Check(err)
	defer client.Close()
	var gone kadm.Offsets
	gone.AddOffset(args[0], int32(partition), offset, -1)
	res, err := kadm.NewClient(client).DeleteRecords(context.Background(), gone)
	ts.Check(errors.Join(err, res.Error()))
}

// queueMessage DIR QUEUE FILE [NAME=VALUE …] puts a message with these attributes into a
// queue of a data directory, and makes the queue where it is missing.
func queueMessage(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	d, err := embedded.OpenData(ctx, embedded.DataOptions{Dir: ts.MkAbs(args[0])})
	ts.Check(err)
	defer func() { ts.Check(d.Close()) }()
	ts.Check(d.Queues.Create(ctx, args[1], queue.Config{}))
	q, err := d.Queues.Queue(ctx, args[1])
	ts.Check(err)
	m := queue.Message{Body: []byte(strings.TrimSpace(ts.ReadFile(args[2]))), Attributes: make(map[string]string)}
	for _, a := range args[3:] {
		name, value, _ := strings.Cut(a, "=")
		m.Attributes[name] = value
	}
	ts.Check(q.Send(ctx, []queue.Message{m})[0])
}
