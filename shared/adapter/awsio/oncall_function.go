package awsio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// ErrNoFunction: there is no function of that name, or no such alias of it.
var ErrNoFunction = errors.New("no such function")

// Function is a Lambda function that is invoked directly.
type Function struct {
	Client *lambda.Client
	Name   string
	Alias  string
}

// Invoke sends the payload and waits for the answer. The function's own error is returned
// as its text.
func (f *Function) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	out, err := f.Client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &f.Name, Qualifier: &f.Alias, Payload: payload})
	var none *types.ResourceNotFoundException
	switch {
	case errors.As(err, &none):
		return nil, fmt.Errorf("%w: %s", ErrNoFunction, f.Name)
	case err != nil:
		return nil, fmt.Errorf("invoke %s: %w", f.Name, err)
	case out.FunctionError != nil:
		return nil, fmt.Errorf("%s: %s", f.Name, functionError(out))
	}
	return out.Payload, nil
}

// functionError is the text of the error that the function returned (AWS Lambda Developer
// Guide, "Errors of synchronous invocations": {"errorMessage": …, "errorType": …}).
func functionError(out *lambda.InvokeOutput) string {
	var e struct {
		ErrorMessage string `json:"errorMessage"`
	}
	if err := json.Unmarshal(out.Payload, &e); err != nil || e.ErrorMessage == "" {
		return aws.ToString(out.FunctionError) + ": " + string(out.Payload)
	}
	return e.ErrorMessage
}
