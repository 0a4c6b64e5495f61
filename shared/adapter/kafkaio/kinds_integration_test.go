//go:build integration

package kafkaio_test

import (
	"testing"

	"github.com/millrace-pipeline/millrace/localstack/harness"
)

var kinds = []kind{kfakeKind, {"kafka", func(t *testing.T) string { return harness.Kafka(t) }, ownKafka}}

func TestMain(m *testing.M) {
	playRole()
	harness.Main(m)
}

func ownKafka(t *testing.T) ownBroker {
	s := harness.OwnKafka(t)
	return ownBroker{
		addr: s.Addr,
		kill: func(t *testing.T) {
			if err := s.Kill(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
		start: func(t *testing.T) {
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		},
	}
}
