// Command securekafka runs a Kafka with TLS and SASL/SCRAM for the plugin's tests, until its
// standard input ends. Once it serves it prints one line of JSON: where it is, and the
// certificate (PEM) to trust.
//
//	securekafka DIRECTORY USER PASSWORD
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/millrace-pipeline/millrace/localstack/host"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "securekafka:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	if len(args) != 3 {
		return errors.New("usage: securekafka DIRECTORY USER PASSWORD")
	}
	kafka, err := host.NewKafka(host.KafkaOptions{Dir: args[0], Users: map[string]string{args[1]: args[2]}})
	if err != nil {
		return err
	}
	if err := kafka.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kafka.Stop(ctx)) }()
	certificate, err := os.ReadFile(kafka.CAFile())
	if err != nil {
		return err
	}
	where := map[string]string{"servers": kafka.SecureAddr(), "certificate": string(certificate)}
	if err := json.NewEncoder(os.Stdout).Encode(where); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
