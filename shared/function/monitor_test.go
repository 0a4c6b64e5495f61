package function

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/millrace-pipeline/millrace/shared/metric"
	"github.com/millrace-pipeline/millrace/shared/monitor"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// storeDown does not answer.
type storeDown struct{}

func (storeDown) Check(context.Context) error { return errors.New("store down") }
func (storeDown) List(context.Context, store.Filter, int, string) (store.Page, error) {
	return store.Page{}, errors.New("store down")
}

// oneTopic counts what is asked of it.
type oneTopic struct {
	shown, made int
	err         error
}

func (o *oneTopic) Show(context.Context) (spec.TopicReport, error) {
	o.shown++
	return spec.TopicReport{Topic: "events"}, o.err
}

func (o *oneTopic) Init(context.Context) (spec.TopicReport, error) {
	o.made++
	return spec.TopicReport{Topic: "events", Created: true}, o.err
}

func TestMonitorMeasuresOrAnswers(t *testing.T) {
	for payload, want := range map[string]struct {
		answer              string
		measures            bool
		shown, made, failed int
		topic               *oneTopic
	}{
		`{"detail-type":"Scheduled Event"}`: {answer: "null", measures: true, failed: 1, topic: new(oneTopic)},
		`not JSON`:                          {answer: "null", measures: true, failed: 1, topic: new(oneTopic)},
		`{"topic":"show"}`:                  {answer: `{"topic":{"topic":"events","exists":false,"created":false,`, shown: 1, topic: new(oneTopic)},
		`{"topic":"init"}`:                  {answer: `{"topic":{"topic":"events","exists":false,"created":true,`, made: 1, topic: new(oneTopic)},
		`{"topic": "init"}`:                 {answer: `{"refused":"deploy it with a VPC"}`, failed: 1},
		`{"topic":"init" }`:                 {answer: `{"refused":"no Kafka at b"}`, made: 1, failed: 1, topic: &oneTopic{err: errors.New("no Kafka at b")}},
		`{"topic":"make"}`:                  {answer: `{"refused":"the request: topic is \"make\", not \"show\" or \"init\""}`, failed: 1, topic: new(oneTopic)},
		`{"topic":{}}`:                      {answer: `{"refused":"the request: json: `, failed: 1, topic: new(oneTopic)},
		`{"topic":"init","partitions":9}`:   {answer: `{"refused":"the request: json: unknown field \"partitions\""}`, failed: 1, topic: new(oneTopic)},
	} {
		emitted, failed := 0, 0
		p := MonitorParts{
			Monitor: &monitor.Monitor{Store: storeDown{}, Now: time.Now, Emit: func(string, time.Time, []metric.Reading) error {
				emitted++
				return nil
			}},
			NoTopic: "deploy it with a VPC", Failed: func(error) { failed++ },
		}
		got := new(oneTopic)
		if want.topic != nil {
			p.Topic, got = want.topic, want.topic
		}
		answer, err := Monitor(p)(t.Context(), []byte(payload))
		if err != nil || !strings.HasPrefix(string(answer), want.answer) {
			t.Errorf("%s: %s, %v", payload, answer, err)
		}
		if emitted > 0 != want.measures || failed != want.failed || got.shown != want.shown || got.made != want.made {
			t.Errorf("%s: %d emitted, %d failed, %+v", payload, emitted, failed, got)
		}
	}
}
