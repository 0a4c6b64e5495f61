package bench

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"go.mongodb.org/mongo-driver/v2/mongo"
	mongooptions "go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/millrace-pipeline/millrace/shared/adapter/kafkaio"
	"github.com/millrace-pipeline/millrace/shared/adapter/mongostore"
	"github.com/millrace-pipeline/millrace/shared/embedded"
)

// partitions of a topic that is made for a run.
const partitions = 4

// Prepare makes what a run against a real Kafka or MongoDB needs, a topic and a database
// of its own, sets the options to them, and returns the function that deletes both.
func Prepare(ctx context.Context, o *embedded.Options) (cleanUp func() error, err error) {
	name := fmt.Sprintf("millrace-bench-%d-%d", os.Getpid(), time.Now().UnixMilli())
	var undo []func() error
	cleanUp = func() error {
		var first error
		for _, f := range undo {
			if err := f(); err != nil && first == nil {
				first = err
			}
		}
		return first
	}
	if len(o.Kafka.Config.Brokers) > 0 {
		o.Kafka.Topic, o.Kafka.Group = name, name
		if err := makeTopic(ctx, &o.Kafka); err != nil {
			return cleanUp, err
		}
		undo = append(undo, func() error { return deleteTopic(context.WithoutCancel(ctx), &o.Kafka) })
	}
	if o.Mongo != "" {
		database := strings.ReplaceAll(name, "-", "_")
		if o.Mongo, err = withDatabase(o.Mongo, database); err != nil {
			return cleanUp, err
		}
		if err := mongostore.Init(ctx, mongostore.Options{URI: o.Mongo}); err != nil {
			return cleanUp, err
		}
		undo = append(undo, func() error { return dropDatabase(context.WithoutCancel(ctx), o.Mongo, database) })
	}
	return cleanUp, nil
}

func makeTopic(ctx context.Context, k *embedded.KafkaOptions) error {
	client, err := kafkaio.Dial(ctx, &k.Config)
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = kafkaio.EnsureTopic(ctx, client, k.Topic, partitions)
	return err
}

func deleteTopic(ctx context.Context, k *embedded.KafkaOptions) error {
	client, err := kafkaio.Dial(ctx, &k.Config)
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = kadm.NewClient(client).DeleteTopic(ctx, k.Topic)
	return err
}

func withDatabase(uri, name string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return "", fmt.Errorf("MongoDB connection string: it is no URI") // err has the string, and so the password
	}
	u.Path = "/" + name
	return u.String(), nil
}

func dropDatabase(ctx context.Context, uri, name string) error {
	client, err := mongo.Connect(mongooptions.Client().ApplyURI(uri))
	if err != nil {
		return err
	}
	defer client.Disconnect(ctx) //nolint:errcheck // the end of the process closes it too
	return client.Database(name).Drop(ctx)
}
