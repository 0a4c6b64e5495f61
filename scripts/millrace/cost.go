package main

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

type costOptions struct {
	rate   float64
	size   float64
	region string
	msk    bool
}

func newCost(e env, g *globalOptions) *cobra.Command {
	var o costOptions
	c := &cobra.Command{
		Use:   "cost",
		Short: "Estimate the month's bill on AWS",
		Long: "Estimate what a pipeline costs in 30 days on AWS, line by line, and what other ways to carry the events would cost: Millrace packs them, since SNS and SQS bill per 64 KiB. " +
			"The prices are those of " + pricesOf + " without discounts and free tiers; MongoDB, network and storage of the claim checks are not in it. " +
			"Compression and time per event are our own measurements, and differ with the data.\n\n" +
			"With --json: {\"prices_of\", \"region\", \"rate\", \"size\", \"lines\": [{\"item\", \"quantity\", \"unit\", \"usd\"}], \"total_usd\", \"carrying\": [{\"way\", \"usd\"}]}; " +
			"carrying is what the way of the events alone costs, without what stands beside it.",
		Example: "  millrace cost --rate 100000 --size 1024\n" +
			"  millrace cost --rate 500 --size 4096 --msk\n" +
			"  millrace cost --rate 100000 --json | jq .total_usd",
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return runCost(e, g, o) },
	}
	c.Flags().Float64Var(&o.rate, "rate", 100_000, "events a second, day and night: `N`")
	c.Flags().Float64Var(&o.size, "size", 1024, "`bytes` of an event")
	c.Flags().StringVar(&o.region, "region", "us-east-1", "`region` of AWS: "+strings.Join(regionNames(), ", "))
	c.Flags().BoolVar(&o.msk, "msk", false, "with a Kafka cluster of MSK's, too")
	complete(c, "region", regionNames())
	return c
}

func regionNames() []string { return slices.Sorted(maps.Keys(regions)) }

// Bounds of what is estimated: beyond them the model is wrong.
const (
	maxCostRate = 10e6
	maxCostSize = 200 << 10 // larger events travel by claim check
)

// costJSON is what --json writes.
type costJSON struct {
	PricesOf string     `json:"prices_of"`
	Region   string     `json:"region"`
	Rate     float64    `json:"rate"`
	Size     float64    `json:"size"`
	Lines    []costLine `json:"lines"`
	Total    float64    `json:"total_usd"`
	Carrying []wayCost  `json:"carrying"`
}

// wayCost is what one way to carry the events costs.
type wayCost struct {
	Way string  `json:"way"`
	USD float64 `json:"usd"`
}

func runCost(e env, g *globalOptions, o costOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	p := regions[o.region]
	l := load{o.rate, o.size}
	out := costJSON{PricesOf: pricesOf, Region: o.region, Rate: o.rate, Size: o.size}
	out.Lines = append(carried(&p, l, transports[0]), standing(&p, l, o.msk)...)
	out.Total = cents(total(out.Lines))
	for _, t := range transports {
		out.Carrying = append(out.Carrying, wayCost{t.name, cents(total(carried(&p, l, t)))})
	}
	for i := range out.Lines {
		out.Lines[i].USD = cents(out.Lines[i].USD)
	}
	if g.json {
		return writeJSON(e.stdout, &out)
	}
	return out.write(e)
}

func (o *costOptions) check() error {
	if err := oneOf("--region", o.region, regionNames()); err != nil {
		return err
	}
	if math.IsNaN(o.rate) || o.rate <= 0 || o.rate > maxCostRate {
		return usageError("--rate is %v: it must be above 0 and at most %s events a second", o.rate, number(int64(maxCostRate)))
	}
	if math.IsNaN(o.size) || o.size < 1 || o.size > maxCostSize {
		return usageError("--size is %v: it must be 1 to %s bytes; larger events travel by claim check", o.size, number(maxCostSize))
	}
	return nil
}

func (c *costJSON) write(e env) error {
	t := newTable("ITEM", ">QUANTITY", "UNIT", ">USD A MONTH")
	for _, l := range c.Lines {
		t.add(l.Item, number(int64(math.Ceil(l.Quantity))), l.Unit, dollars(l.USD))
	}
	t.add("total", "", "", dollars(c.Total))
	if err := t.write(e.stdout); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "\n30 days in %s, %s events/s of %s, prices of %s\n\n", c.Region, short64(c.Rate), size(int64(c.Size)), c.PricesOf)
	ways := newTable("CARRYING THE EVENTS", ">USD A MONTH", ">TIMES")
	for _, w := range c.Carrying {
		ways.add(w.Way, dollars(w.USD), fmt.Sprintf("%.1f", w.USD/c.Carrying[0].USD))
	}
	return ways.write(e.stdout)
}

func cents(usd float64) float64 { return math.Round(usd*100) / 100 }

// dollars writes whole dollars, and cents below a hundred.
func dollars(usd float64) string {
	if usd < 100 {
		return fmt.Sprintf("%.2f", usd)
	}
	return number(int64(usd + 0.5))
}
