//go:build integration

package awsio_test

import (
	"testing"

	"github.com/millrace-pipeline/millrace/localstack/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }
