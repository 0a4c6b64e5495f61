package stack

import "github.com/millrace-pipeline/millrace/shared/spec"

// Expressions of the dashboard's graphs.

// own is one of Millrace's metrics.
func own(metric string, stat spec.Statistic) spec.Series {
	return spec.Series{Metric: metric, Stat: stat}
}

func lambda(metric string, stat spec.Statistic) spec.Series {
	return spec.Series{Namespace: spec.AWSLambda, Metric: metric, Stat: stat, Of: spec.OfFunction}
}

func queue(metric string, of spec.Resource) spec.Series {
	return spec.Series{Namespace: spec.AWSSQS, Metric: metric, Stat: spec.Maximum, Of: of}
}

func perSecond(metric string) spec.Expr {
	return spec.Op{Sign: "/", A: own(metric, spec.Sum), B: spec.Seconds()}
}

// percent of two counts; a minute without any has no point in the graph.
func percent(part, whole string) spec.Expr { return ratio(own(part, spec.Sum), own(whole, spec.Sum)) }

func ratio(part, whole spec.Series) spec.Expr {
	return spec.Op{Sign: "/", A: spec.Op{Sign: "*", A: spec.Number(100), B: part}, B: whole}
}

// eachStage is a line for each stage.
func eachStage(value spec.Expr) []line {
	var lines []line
	for _, s := range spec.Stages {
		lines = append(lines, of(s.Name, s.Name, value))
	}
	return lines
}

// deadLetters are the sizes of all queues that hold what a person may have to look at.
func deadLetters() []line {
	const visible = "ApproximateNumberOfMessagesVisible"
	lines := eachStage(queue(visible, spec.OfDLQ))
	for i := range lines {
		lines[i].label += "-dlq"
	}
	for _, s := range spec.Stages[1:] {
		lines = append(lines, of(s.Name, s.Undelivered(), queue(visible, spec.OfUndelivered)))
	}
	return append(lines, of(spec.Redrive, spec.Quarantine, queue(visible, spec.OfQuarantine)),
		of(spec.Ingest, spec.KafkaFailed, queue(visible, spec.OfKafkaFailed)))
}
