package awsio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"golang.org/x/sync/errgroup"

	"github.com/millrace-pipeline/millrace/shared/queue"
)

// Broker creates and finds the SQS queues of one account and region whose names begin
// with Prefix; callers name them without it. It implements queue.Broker, and is safe for
// concurrent use.
type Broker struct {
	Client  *sqs.Client
	Prefix  string        // such as spec.ResourceName(env, "")
	MinWait time.Duration // of the queues that it opens, see Queue

	mu   sync.Mutex
	urls map[string]string // by name; the URL of a queue never changes
}

var _ queue.Broker = (*Broker)(nil)

// Queue implements queue.Broker.
func (b *Broker) Queue(ctx context.Context, name string) (queue.Queue, error) {
	q, err := b.open(ctx, name)
	if err != nil { // not a nil *Queue in the interface
		return nil, err
	}
	return q, nil
}

func (b *Broker) open(ctx context.Context, name string) (*Queue, error) {
	b.mu.Lock()
	url, ok := b.urls[name]
	b.mu.Unlock()
	if !ok {
		full := b.Prefix + name
		out, err := b.Client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &full})
		if err != nil {
			return nil, fmt.Errorf("queue %s: %w", full, known(err))
		}
		url = *out.QueueUrl
		b.remember(name, url)
	}
	return &Queue{Client: b.Client, URL: url, MinWait: b.MinWait}, nil
}

func (b *Broker) remember(name, url string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.urls == nil {
		b.urls = make(map[string]string)
	}
	b.urls[name] = url
}

// Create implements queue.Broker. It sets what a queue.Config has and leaves all else of
// an existing queue alone, its encryption above all. A change of the visibility timeout
// takes up to a minute to hold everywhere (Amazon SQS API reference, SetQueueAttributes).
func (b *Broker) Create(ctx context.Context, name string, c queue.Config) error {
	full := b.Prefix + name
	c, err := queue.CheckConfig(full, c)
	if err != nil {
		return err
	}
	attrs := map[string]string{
		string(types.QueueAttributeNameVisibilityTimeout):      wholeSeconds(c.Visibility),
		string(types.QueueAttributeNameDelaySeconds):           wholeSeconds(c.Delay),
		string(types.QueueAttributeNameMessageRetentionPeriod): wholeSeconds(c.Retention),
		string(types.QueueAttributeNameMaximumMessageSize):     strconv.Itoa(queue.MaxMessageBytes),
	}
	if attrs[string(types.QueueAttributeNameRedrivePolicy)], err = b.redrivePolicy(ctx, c); err != nil {
		return fmt.Errorf("create queue %s: dead-letter %w", full, err)
	}
	q, err := b.open(ctx, name)
	switch {
	case err == nil:
		_, err = b.Client.SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &q.URL, Attributes: attrs})
	case errors.Is(err, queue.ErrNoQueue):
		var out *sqs.CreateQueueOutput
		if out, err = b.Client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &full, Attributes: attrs}); err == nil {
			b.remember(name, *out.QueueUrl)
		}
	}
	if err != nil {
		return fmt.Errorf("create queue %s: %w", full, known(err))
	}
	return nil
}

// redrivePolicy is the attribute RedrivePolicy; "" takes one away.
func (b *Broker) redrivePolicy(ctx context.Context, c queue.Config) (string, error) {
	if c.DLQ == "" {
		return "", nil
	}
	arn, err := b.arn(ctx, c.DLQ)
	if err != nil {
		return "", err
	}
	policy, err := json.Marshal(map[string]string{"deadLetterTargetArn": arn, "maxReceiveCount": strconv.Itoa(c.MaxReceives)})
	return string(policy), err
}

func wholeSeconds(d time.Duration) string { return strconv.Itoa(int(seconds(d))) }

// attributes of a queue by their names.
func (b *Broker) attributes(ctx context.Context, name string, names ...types.QueueAttributeName) (map[string]string, error) {
	q, err := b.open(ctx, name)
	if err != nil {
		return nil, err
	}
	out, err := b.Client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{QueueUrl: &q.URL, AttributeNames: names})
	if err != nil {
		return nil, q.wrap("attributes of", err)
	}
	return out.Attributes, nil
}

func (b *Broker) arn(ctx context.Context, name string) (string, error) {
	attrs, err := b.attributes(ctx, name, types.QueueAttributeNameQueueArn)
	return attrs[string(types.QueueAttributeNameQueueArn)], err
}

// depthsAtOnce bounds the requests of one Depths.
const depthsAtOnce = 8

// Depths implements queue.Broker. The counts are approximate and up to a minute late
// (Amazon SQS API reference, GetQueueAttributes); the age of the oldest message is only
// known to CloudWatch.
func (b *Broker) Depths(ctx context.Context, names ...string) (map[string]queue.Depth, error) {
	all := len(names) == 0
	if all {
		var err error
		if names, err = b.names(ctx); err != nil {
			return nil, err
		}
	}
	var mu sync.Mutex
	depths := make(map[string]queue.Depth)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(depthsAtOnce)
	for _, name := range names {
		g.Go(func() error {
			d, err := b.depth(ctx, name)
			if all && errors.Is(err, queue.ErrNoQueue) {
				return nil // deleted since it was listed
			}
			mu.Lock()
			defer mu.Unlock()
			depths[name] = d
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return depths, nil
}

func (b *Broker) depth(ctx context.Context, name string) (d queue.Depth, err error) {
	counts := map[types.QueueAttributeName]*int{
		types.QueueAttributeNameApproximateNumberOfMessages:           &d.Visible,
		types.QueueAttributeNameApproximateNumberOfMessagesNotVisible: &d.InFlight,
		types.QueueAttributeNameApproximateNumberOfMessagesDelayed:    &d.Delayed,
	}
	var asked []types.QueueAttributeName
	for attr := range counts {
		asked = append(asked, attr)
	}
	attrs, err := b.attributes(ctx, name, asked...)
	if err != nil {
		return d, err
	}
	for attr, n := range counts {
		if *n, err = strconv.Atoi(attrs[string(attr)]); err != nil {
			return d, fmt.Errorf("queue %s: %s is %q", b.Prefix+name, attr, attrs[string(attr)])
		}
	}
	return d, nil
}

// names of all queues with the prefix, without it.
func (b *Broker) names(ctx context.Context) ([]string, error) {
	pages := sqs.NewListQueuesPaginator(b.Client, &sqs.ListQueuesInput{QueueNamePrefix: &b.Prefix})
	var names []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list queues: %w", readable(err))
		}
		for _, url := range page.QueueUrls {
			names = append(names, strings.TrimPrefix(nameOf(url), b.Prefix))
		}
	}
	return names, nil
}

// Purge implements queue.Broker. It takes up to a minute, during which messages may still
// be received, and can be asked for once a minute (Amazon SQS API reference, PurgeQueue).
func (b *Broker) Purge(ctx context.Context, name string) error {
	q, err := b.open(ctx, name)
	if err != nil {
		return err
	}
	_, err = b.Client.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: &q.URL})
	return q.wrap("purge", err)
}
