"""CloudWatch for LocalStack as Amazon CloudWatch behaves where Millrace relies on it.

LocalStack 4.14 never evaluates alarms on percentiles or metric math, reads a composite
rule as one OR, matches dimensions with LIKE, makes no metrics of embedded-metric-format
log lines and answers GetMetricData with expressions with an error. `hooks.install` puts
this package's code in those places.

    emf         log lines -> metric data
    store       metric data <-> LocalStack's database
    stats       Sum, Average, ..., p99 of a period
    mathparse   metric math: text -> syntax tree
    timeseries  one time series
    mathexpr    metric math: syntax tree -> time series
    queries     the MetricDataQueries of a request or an alarm
    judge       M out of N and missing data: values -> state
    rules       composite alarm rules
    suppress    ActionsSuppressor of composite alarms
    metricalarm the definition of a metric alarm, and its evaluation at one time
    composite   composite alarms
    evaluator   the loop over all alarms
    reads       GetMetricData, GetMetricStatistics
    awsmetrics  metrics of AWS/Lambda and AWS/SQS that LocalStack does not write
    dashboard   AWS::CloudWatch::Dashboard in CloudFormation
    running     the provider that runs, and the thread of the loop
    patches_…   the patches of LocalStack, each with its reason

Everything above `composite` knows nothing of LocalStack but its database's tables.
"""
