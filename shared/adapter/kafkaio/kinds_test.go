//go:build !integration

package kafkaio_test

import (
	"os"
	"testing"
)

var kinds = []kind{kfakeKind}

func TestMain(m *testing.M) {
	playRole()
	os.Exit(m.Run())
}
