package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/embedded"
	"github.com/millrace-pipeline/millrace/shared/function"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// topicOptions are the flags about a Kafka that is asked directly.
type topicOptions struct {
	kafka    string
	cluster  clusterOptions
	settings spec.TopicSettings
}

func newTopic(e env, g *globalOptions) *cobra.Command {
	return group(&cobra.Command{
		Use:   "topic",
		Short: "Show the Kafka topic that ingest reads, or make it",
		Long: "Show the Kafka topic that ingest reads, or make it.\n\n" +
			"Of a deployed pipeline its function monitor is asked, which has the deployment's way to Kafka, inside a VPC too; the settings are the deployment's " +
			"(kafkaTopic, kafkaPartitions, kafkaReplication, kafkaMinInsync, kafkaRetention). " +
			"With --kafka these brokers are asked directly, with the settings of the flags. " +
			"The topic of `millrace run` is made by it.",
	}, newTopicShow(e, g), newTopicInit(e, g))
}

const topicJSON = "With --json: {\"topic\", \"exists\", \"created\", \"is\", \"settings\", \"differences\": [{\"setting\", \"is\", \"wanted\", \"command\", \"note\"}]}; " +
	"times are in milliseconds, -1 is without limit, and what is unknown or left to the brokers is null."

func newTopicShow(e env, g *globalOptions) *cobra.Command {
	var o topicOptions
	c := &cobra.Command{
		Use:   "show",
		Short: "Show the topic, and what differs from its settings",
		Long:  "Show the topic, and what differs from its settings, with the command that changes it.\n\n" + topicJSON,
		Example: "  millrace topic show --target aws --env prod\n" +
			"  millrace topic show --kafka broker-1:9092 --topic events",
		Args:        noArgs,
		Annotations: exits(exitNotFound),
		RunE:        func(c *cobra.Command, _ []string) error { return runTopic(c, e, g, o, function.TopicShow) },
	}
	o.flags(c)
	return c
}

func newTopicInit(e env, g *globalOptions) *cobra.Command {
	var o topicOptions
	c := &cobra.Command{
		Use:   "init",
		Short: "Make the topic where it is missing",
		Long: "Make the topic where it is missing, with its settings, and show it. A topic that is there is not changed: " +
			"what differs is shown with the command that changes it.\n\n" + topicJSON,
		Example: "  millrace topic init --target aws --env prod\n" +
			"  millrace topic init --kafka broker-1:9092,broker-2:9092 --topic events --partitions 24",
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runTopic(c, e, g, o, function.TopicInit) },
	}
	o.flags(c)
	return c
}

func (o *topicOptions) flags(c *cobra.Command) {
	defaults := spec.DefaultTopicSettings()
	c.Flags().StringVar(&o.kafka, "kafka", "", "ask these Kafka `brokers` (host:port, separated by commas)")
	c.Flags().StringVar(&o.cluster.topic, "topic", embedded.Topic, "`name` of the topic, with --kafka")
	c.Flags().IntVar(&o.settings.Partitions, "partitions", defaults.Partitions, "its partitions, with --kafka")
	c.Flags().IntVar(&o.settings.Replication, "replication", defaults.Replication, "replicas of each partition, with --kafka; 0 leaves it to the brokers")
	c.Flags().IntVar(&o.settings.MinInsync, "min-insync", defaults.MinInsync, "its min.insync.replicas, with --kafka; 0 leaves it to the brokers")
	c.Flags().DurationVar(&o.settings.Retention, "retention", defaults.Retention, "how long it keeps records, with --kafka; 0 leaves it to the brokers")
	o.cluster.security(c)
}

// check says what is wrong with the flags; those about a Kafka need one.
func (o *topicOptions) check(c *cobra.Command, g *globalOptions) error {
	const most = 32767 // replicas are 16 bits in Kafka's protocol
	switch s := o.settings; {
	case o.kafka != "" && g.target != targetEmbedded:
		return usageError("a deployed pipeline knows its Kafka: give either --kafka or --target")
	case s.Partitions < 1 || s.Partitions > most:
		return usageError("--partitions is %d: it must be 1 to %d", s.Partitions, most)
	case s.Replication < 0 || s.Replication > most:
		return usageError("--replication is %d: it must be 0 to %d", s.Replication, most)
	case s.MinInsync < 0 || s.Replication > 0 && s.MinInsync > s.Replication:
		return usageError("--min-insync is %d: it must be 0 to --replication", s.MinInsync)
	case s.Retention < 0 || s.Retention%time.Millisecond != 0:
		return usageError("--retention is %v: it must be 0 or more, in whole milliseconds", s.Retention)
	}
	if o.kafka == "" {
		for _, name := range []string{"topic", "partitions", "replication", "min-insync", "retention"} {
			if c.Flags().Changed(name) {
				return usageError("--%s goes with --kafka: a deployed pipeline has its own settings", name)
			}
		}
	}
	return nil
}

func runTopic(c *cobra.Command, e env, g *globalOptions, o topicOptions, do string) error {
	if err := o.check(c, g); err != nil {
		return err
	}
	r, note, err := askTopic(c.Context(), e, g, o, do)
	if err != nil {
		return err
	}
	if g.json {
		err = writeJSON(e.stdout, r)
	} else {
		err = writeTopic(e.stdout, &r, note)
	}
	if err == nil && !r.Exists {
		err = &exitError{exitNotFound, fmt.Errorf("there is no topic %s: `millrace topic init` makes it, or %s", r.Topic, r.Create)}
	}
	return err
}

// askTopic asks the Kafka of the flags, or else the target's. The note is for people.
func askTopic(ctx context.Context, e env, g *globalOptions, o topicOptions, do string) (r spec.TopicReport, note string, err error) {
	if o.kafka != "" {
		config, err := o.cluster.config(e, o.kafka)
		if err != nil {
			return r, "", err
		}
		r, err = doTopic(ctx, &kafkaio.TopicAdmin{Config: config, Topic: o.cluster.topic, Settings: o.settings}, do)
		return r, "", err
	}
	t, err := newTarget(e, g)
	if err != nil {
		return r, "", err
	}
	defer t.close()
	r, err = t.topic(ctx, do)
	if d, ok := t.(*deployedTarget); ok && err == nil && r.Exists && !g.json {
		if note, err = d.sourceNote(ctx, &r); err != nil { // what is known of the topic is shown all the same
			note, err = fmt.Sprintf("how the event source stands could not be found out: %s\n", oneLine(err.Error())), nil
		}
	}
	return r, note, err
}

func doTopic(ctx context.Context, a *kafkaio.TopicAdmin, do string) (spec.TopicReport, error) {
	a.Config.ClientID = "millrace-topic"
	if do == function.TopicInit {
		return a.Init(ctx)
	}
	return a.Show(ctx)
}

func writeTopic(w io.Writer, r *spec.TopicReport, note string) error {
	if !r.Exists {
		return nil // the error says it
	}
	head := "topic " + r.Topic
	if r.Created {
		head += ", just made"
	}
	t := newTable(cell(head), ">IS", ">SETTING")
	count := func(n *int64) string { return known(n, number[int64]) }
	t.add("partitions", count(r.Is.Partitions), count(r.Settings.Partitions))
	t.add("replication factor", count(r.Is.Replication), count(r.Settings.Replication))
	t.add(spec.TopicMinInsync, count(r.Is.MinInsync), count(r.Settings.MinInsync))
	t.add("retention", known(r.Is.RetentionMS, retentionOf), known(r.Settings.RetentionMS, retentionOf))
	if err := t.write(w); err != nil {
		return err
	}
	if r.Unread != "" {
		if _, err := fmt.Fprintf(w, "\n%s\n", oneLine(r.Unread)); err != nil {
			return err
		}
	}
	for _, d := range r.Differences {
		if err := writeDifference(w, d); err != nil {
			return err
		}
	}
	if note == "" {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%s", note)
	return err
}

func writeDifference(w io.Writer, d spec.TopicDifference) error {
	_, err := fmt.Fprintf(w, "\n%s: the topic has %d, the setting is %d\n", d.Setting, d.Is, d.Wanted)
	if err == nil && d.Command != "" {
		_, err = fmt.Fprintf(w, "  to change the topic: %s\n", cell(d.Command))
	}
	if err == nil && d.Note != "" {
		_, err = fmt.Fprintf(w, "  know first: %s\n", d.Note)
	}
	return err
}

// retentionOf milliseconds.
func retentionOf(ms int64) string {
	if ms < 0 {
		return "no limit"
	}
	return spec.FormatAge(time.Duration(ms) * time.Millisecond)
}
