"""LocalStack as Millrace needs it: functions as processes, Kafka event sources, CloudWatch alarms."""
