package awsio

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// Versions of a function, as its alias has them (AWS Lambda Developer Guide, "Manage
// Lambda function versions" and "Implement Lambda canary deployments using a weighted
// alias").
type Versions struct {
	Live      int   // where the alias sends invocations
	Canary    int   // where it sends a part of them while a deployment is under way; 0: none is
	Published []int // all that exist, ascending
}

// Before is what a rollback goes to: the live version while a deployment is under way,
// else the newest one that is older. False where there is none.
func (v Versions) Before() (int, bool) {
	if v.Canary != 0 {
		return v.Live, true
	}
	i, _ := slices.BinarySearch(v.Published, v.Live)
	if i == 0 {
		return 0, false
	}
	return v.Published[i-1], true
}

// Versions reads them. ErrNoFunction where the function or its alias is missing.
func (f *Function) Versions(ctx context.Context) (Versions, error) {
	var v Versions
	alias, err := f.Client.GetAlias(ctx, &lambda.GetAliasInput{FunctionName: &f.Name, Name: &f.Alias})
	if err != nil {
		return v, f.explain(err)
	}
	if v.Live, err = f.version(aws.ToString(alias.FunctionVersion)); err != nil {
		return v, err
	}
	if alias.RoutingConfig != nil {
		for name := range maps.Keys(alias.RoutingConfig.AdditionalVersionWeights) {
			if v.Canary, err = f.version(name); err != nil {
				return v, err
			}
		}
	}
	pages := lambda.NewListVersionsByFunctionPaginator(f.Client, &lambda.ListVersionsByFunctionInput{FunctionName: &f.Name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return v, f.explain(err)
		}
		for _, c := range page.Versions {
			if name := aws.ToString(c.Version); name != unpublished {
				n, err := f.version(name)
				if err != nil {
					return v, err
				}
				v.Published = append(v.Published, n)
			}
		}
	}
	slices.Sort(v.Published)
	return v, nil
}

// unpublished is the version that code can still change in.
const unpublished = "$LATEST"

func (f *Function) version(name string) (int, error) {
	n, err := strconv.Atoi(name)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("the alias %s of %s is at %q, which is no published version", f.Alias, f.Name, name)
	}
	return n, nil
}

// SetVersion makes the alias send every invocation to a version.
func (f *Function) SetVersion(ctx context.Context, version int) error {
	_, err := f.Client.UpdateAlias(ctx, &lambda.UpdateAliasInput{
		FunctionName: &f.Name, Name: &f.Alias, FunctionVersion: aws.String(strconv.Itoa(version)),
		RoutingConfig: &types.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{}},
	})
	return f.explain(err)
}

func (f *Function) explain(err error) error {
	var none *types.ResourceNotFoundException
	if errors.As(err, &none) {
		return fmt.Errorf("%w: %s (alias %s)", ErrNoFunction, f.Name, f.Alias)
	}
	return err
}
