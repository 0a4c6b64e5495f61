package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/embedded"
)

// clusterOptions are the flags about a Kafka cluster that is not the pipeline's own.
type clusterOptions struct {
	brokers      string // of status, which asks only
	topic, group string
	tls          bool
	caFile       string
	sasl         string
	user         string
}

// kafkaPasswordEnv is where the password is taken from: a flag shows in the list of processes.
const kafkaPasswordEnv = "KAFKA_PASSWORD"

func (o *clusterOptions) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.topic, "topic", embedded.Topic, "the `topic` to read, with --kafka")
	c.Flags().StringVar(&o.group, "group", embedded.Group, "the consumer `group` to read it as, with --kafka")
	o.security(c)
}

// security are the flags about how to connect.
func (o *clusterOptions) security(c *cobra.Command) {
	c.Flags().BoolVar(&o.tls, "kafka-tls", false, "speak TLS to Kafka")
	c.Flags().StringVar(&o.caFile, "kafka-ca", "", "PEM `file` of the authorities to trust; it switches TLS on")
	c.Flags().StringVar(&o.sasl, "kafka-sasl", "", "authenticate by this `mechanism`: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or AWS_MSK_IAM")
	c.Flags().StringVar(&o.user, "kafka-user", "", "`name` of the user; the password is taken from the environment, "+kafkaPasswordEnv)
}

// config reads the brokers of the flag --kafka.
func (o *clusterOptions) config(e env, list string) (c kafkaio.Config, err error) {
	b, err := brokers(list)
	if err != nil {
		return c, err
	}
	return o.configOf(e, b)
}

// configOf says how to reach the brokers.
func (o *clusterOptions) configOf(e env, brokers []string) (c kafkaio.Config, err error) {
	c.Brokers = brokers
	c.TLS, c.CAFile, c.SASL, c.User = o.tls, o.caFile, o.sasl, o.user
	for _, kv := range e.environ {
		if password, ok := strings.CutPrefix(kv, kafkaPasswordEnv+"="); ok {
			c.Password = password
		}
	}
	if _, err := c.Opts(); err != nil {
		return c, usageError("--kafka: %w", err)
	}
	return c, nil
}
