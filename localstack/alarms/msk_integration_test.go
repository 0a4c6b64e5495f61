//go:build integration

package alarms

import (
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// clusterName of the MSK cluster, as its metrics have it.
const clusterName = "events"

// msk: the deployment is changed to read an MSK cluster, and has the alarm on the cluster's
// own metric then. LocalStack has no MSK: its event source mapping reads the same Kafka as
// before, and the alarm what is put for its metric.
func (d *deployment) msk(t *testing.T) {
	targets := the(t, spec.Ingest, "kafka-no-controller")
	stop := d.breach(t, targets)
	d.Set("kafka="+spec.KafkaMSK, "kafkaBootstrapServers=",
		"kafkaClusterArn=arn:aws:kafka:us-east-1:000000000000:cluster/"+clusterName+"/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0-1")
	if _, err := d.Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.fires(t, 30*time.Second, targets...)
	d.readController(t)
	stop()
	stop = d.recover(t, targets)
	d.ends(t, nil)
	stop()
}

// readController: the page has the metric's value. That there are no data would be an alarm
// as well.
func (d *deployment) readController(t *testing.T) {
	t.Helper()
	for i := range d.pager.pages {
		if d.pager.pages[i].Millrace == nil {
			continue // on-call's own
		}
		for _, f := range d.pager.pages[i].Millrace.Faults {
			if f.Name == "kafka-no-controller" && len(f.Readings) == 1 && f.Readings[0].Value != nil && *f.Readings[0].Value == 0 {
				return
			}
		}
	}
	t.Error("no page has the number of controllers")
}
