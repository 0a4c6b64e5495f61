package awsio

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// KafkaSource is an event source mapping that polls a Kafka topic for a function (AWS
// Lambda API reference, EventSourceMappingConfiguration).
type KafkaSource struct {
	UUID   string
	State  string // Enabled, Disabled, Updating …
	Reason string // of the last change of its state; "" where Lambda gives none
	Result string // of the last poll: "OK", "PROBLEM: …", "No records processed"
}

// KafkaSource looks up the event source mapping of the function's alias that polls a
// topic. False where there is none.
func (f *Function) KafkaSource(ctx context.Context, topic string) (KafkaSource, bool, error) {
	pages := lambda.NewListEventSourceMappingsPaginator(f.Client, &lambda.ListEventSourceMappingsInput{
		FunctionName: aws.String(f.Name + ":" + f.Alias),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return KafkaSource{}, false, fmt.Errorf("event sources of %s: %w", f.Name, f.explain(err))
		}
		for _, m := range page.EventSourceMappings {
			if slices.Contains(m.Topics, topic) {
				return KafkaSource{
					aws.ToString(m.UUID), aws.ToString(m.State), aws.ToString(m.StateTransitionReason), aws.ToString(m.LastProcessingResult),
				}, true, nil
			}
		}
	}
	return KafkaSource{}, false, nil
}
