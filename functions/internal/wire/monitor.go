package wire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/millrace-pipeline/millrace/shared/adapter/awsio"
	"github.com/millrace-pipeline/millrace/shared/adapter/emf"
	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/adapter/lambdaio"
	"github.com/millrace-pipeline/millrace/shared/adapter/logs"
	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/function"
	"github.com/millrace-pipeline/millrace/shared/monitor"
	"github.com/millrace-pipeline/millrace/shared/spec"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// Monitor is the handler of the function monitor. What it measures need not answer when it
// starts: that is what it is there to tell.
func Monitor(ctx context.Context) (lambdaio.Handler, error) {
	settings, err := spec.Load(os.Environ())
	if err != nil {
		return nil, err
	}
	metrics, err := emf.New(os.Stdout, emf.Options{Env: settings.Env})
	if err != nil {
		return nil, err
	}
	uri, err := connectionString(ctx, time.Now)
	if err != nil {
		return nil, err
	}
	log := logs.New(os.Stdout, settings.LogLevel, settings.Env)
	p := function.MonitorParts{
		Monitor: &monitor.Monitor{Store: &watchedStore{uri: uri}, Emit: metrics.Measure, Now: time.Now},
		Failed:  func(err error) { log.Error("monitor could not do everything", slog.Any("error", err)) },
	}
	topic, err := spec.LoadTopicSettings(os.Getenv)
	if err != nil {
		return nil, err
	}
	brokers, err := bootstrapServers(ctx)
	if err != nil {
		return nil, err
	}
	if brokers == "" {
		p.NoTopic = noTopic(os.Getenv(spec.KafkaTopicVar), topic)
		return function.Monitor(p), nil
	}
	k, err := kafkaOf(ctx, brokers)
	if err != nil {
		return nil, err
	}
	p.Monitor.Kafka = k
	p.Topic = &kafkaio.TopicAdmin{Config: k.Config, Topic: k.Topic, Settings: topic}
	return function.Monitor(p), nil
}

// noTopic says why monitor reaches no Kafka, and how the topic is made then. topic is ""
// where there is no Kafka (spec.Deployment.MonitorsKafka).
func noTopic(topic string, s spec.TopicSettings) string {
	if topic == "" {
		return "this deployment reads no Kafka: -c kafka=self, msk or create gives it one"
	}
	return "monitor cannot reach the brokers of this MSK cluster, which answer in its VPC only: deploy with -c vpc=<that VPC>, " +
		"or run this in the VPC, with the bootstrap servers for IAM (aws kafka get-bootstrap-brokers): " +
		spec.KafkaTools{Brokers: "BOOTSTRAP", Secured: true}.Create(topic, s)
}

// watchedStore is a monitor.Store that is opened when it is asked, and opened anew after a
// failure: with the connection string as it is then. It is for one invocation at a time.
type watchedStore struct {
	uri  secretText
	open *mongostore.Store
}

func (w *watchedStore) store(ctx context.Context) (*mongostore.Store, error) {
	if w.open != nil {
		return w.open, nil
	}
	uri, err := w.uri.Current(ctx)
	if err != nil {
		return nil, err
	}
	w.open, err = mongostore.Open(ctx, mongostore.Options{URI: uri, MaxConnections: 2})
	return w.open, err
}

// Check implements monitor.Store.
func (w *watchedStore) Check(ctx context.Context) error {
	s, err := w.store(ctx)
	if err != nil {
		return err
	}
	if err := s.Check(ctx); err != nil {
		w.open = nil
		return errors.Join(err, s.Close())
	}
	return nil
}

// List implements monitor.Store.
func (w *watchedStore) List(ctx context.Context, f store.Filter, limit int, cursor string) (store.Page, error) {
	s, err := w.store(ctx)
	if err != nil {
		return store.Page{}, err
	}
	return s.List(ctx, f, limit, cursor)
}

// watchedKafka is a monitor.Kafka.
type watchedKafka struct{ kafkaio.Watch }

// Health implements monitor.Kafka.
func (w *watchedKafka) Health(ctx context.Context) (monitor.KafkaHealth, error) {
	h, err := w.Watch.Health(ctx)
	if kafkaio.NoTopic(err) {
		err = fmt.Errorf("%w: `millrace topic init` makes the topic", err)
	}
	return monitor.KafkaHealth(h), err
}

// bootstrapServers of Kafka, "" without one.
func bootstrapServers(ctx context.Context) (string, error) {
	cluster := os.Getenv(spec.KafkaClusterVar)
	if cluster == "" {
		return os.Getenv(spec.KafkaBrokersVar), nil
	}
	cfg, err := awsio.Load(ctx)
	if err != nil {
		return "", err
	}
	return awsio.BootstrapServers(ctx, cfg, cluster)
}

// kafkaOf reads where Kafka is from the environment. Its secrets are read once: they have
// the form that event sources ask for (AWS Lambda Developer Guide, "Using Lambda with
// self-managed Apache Kafka").
func kafkaOf(ctx context.Context, brokers string) (*watchedKafka, error) {
	var env environment
	w := &watchedKafka{kafkaio.Watch{Topic: env.get(spec.KafkaTopicVar), Group: env.get(spec.KafkaGroupVar)}}
	if err := env.err(); err != nil {
		return nil, err
	}
	var err error
	if w.Config.Brokers, err = kafkaio.ParseBrokers(brokers); err != nil {
		return nil, fmt.Errorf("%s: %w", spec.KafkaBrokersVar, err)
	}
	w.Config.ClientID = "millrace-monitor"
	w.Config.SASL = os.Getenv(spec.KafkaSASLVar)
	var user struct{ Username, Password string }
	if err := secretJSON(ctx, spec.KafkaSecretVar, &user); err != nil {
		return nil, err
	}
	w.Config.User, w.Config.Password = user.Username, user.Password
	w.Config.TLS = w.Config.User != ""
	var ca struct{ Certificate string }
	if err := secretJSON(ctx, spec.KafkaCASecretVar, &ca); err != nil {
		return nil, err
	}
	if ca.Certificate != "" {
		w.Config.CAFile = filepath.Join(os.TempDir(), "kafka-ca.pem")
		if err := os.WriteFile(w.Config.CAFile, []byte(ca.Certificate), 0o600); err != nil {
			return nil, err
		}
	}
	_, err = w.Config.Opts() // a setting that is wrong is told at the start
	return w, err
}

// secretJSON reads the secret that a variable names into v; it leaves v as it is where the
// variable is not set.
func secretJSON(ctx context.Context, variable string, v any) error {
	s, err := secret(ctx, variable, time.Now)
	if err != nil || s == nil {
		return err
	}
	text, err := s.Text(ctx)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fmt.Errorf("the secret that %s names is no JSON object as event sources have it", variable) // never its text
	}
	return nil
}
