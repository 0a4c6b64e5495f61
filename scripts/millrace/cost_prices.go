package main

// pricesOf is when the prices were looked up on the public pages of AWS.
const pricesOf = "2026-09"

// tier is a price up to a quantity; the last one of a list has no end.
type tier struct {
	upTo  float64 // in all, from the first on; 0: no end
	price float64 // US dollars for one
}

// prices of one region in US dollars.
type prices struct {
	sns              float64 // 64 KiB published; delivery to SQS is free
	sqs              []tier  // request of 64 KiB, standard queue
	lambdaRequest    float64
	lambdaGBSecond   []tier // arm64
	kafkaPollerHour  float64
	logGB            []tier // written by Lambda to CloudWatch Logs
	logStoredGBMonth float64
	metric           float64 // a month each, as what follows
	alarmMetric      float64
	composite        float64
	dashboard        float64
	brokerHour       float64 // MSK express.m7g.large
	brokerGBIn       float64
}

const (
	million  = 1e6
	billion  = 1e9
	terabyte = 1000 // GB
)

// regions that prices are known for.
var regions = map[string]prices{
	"us-east-1": {
		sns:           0.50 / million,
		sqs:           []tier{{100 * billion, 0.40 / million}, {200 * billion, 0.30 / million}, {0, 0.24 / million}},
		lambdaRequest: 0.20 / million,
		lambdaGBSecond: []tier{
			{7.5 * billion, 0.0000133334}, {18.75 * billion, 0.0000120001}, {0, 0.0000106667},
		},
		kafkaPollerHour:  0.185,
		logGB:            []tier{{10 * terabyte, 0.50}, {30 * terabyte, 0.25}, {50 * terabyte, 0.10}, {0, 0.05}},
		logStoredGBMonth: 0.03,
		metric:           0.30,
		alarmMetric:      0.10,
		composite:        0.50,
		dashboard:        3,
		brokerHour:       0.408,
		brokerGBIn:       0.01,
	},
}

// tiered is the price of a quantity, each part of it at the price of its tier.
func tiered(tiers []tier, n float64) float64 {
	sum, from := 0.0, 0.0
	for _, t := range tiers {
		part := n - from
		if t.upTo > 0 {
			part = min(part, t.upTo-from)
		}
		if part <= 0 {
			break
		}
		sum += part * t.price
		from = t.upTo
	}
	return sum
}
