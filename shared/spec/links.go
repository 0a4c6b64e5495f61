package spec

// Console is the beginning of addresses in CloudWatch's console.
func Console(region string) string {
	return "https://" + region + ".console.aws.amazon.com/cloudwatch/home?region=" + region + "#"
}

// DashboardURL is the address of the deployment's dashboard.
func DashboardURL(env, region string) string {
	return Console(region) + "dashboards/dashboard/" + ResourceName(env, Dashboard)
}

// LogsURL is the address of a function's logs. The console encodes a log group's name
// twice, with $ in place of %.
func LogsURL(env, region, function string) string {
	const slash = "$252F"
	return Console(region) + "logsV2:log-groups/log-group/" + slash + "aws" + slash + "lambda" + slash + ResourceName(env, function)
}

// LogGroup is where Lambda writes a function's logs.
func LogGroup(env, function string) string { return "/aws/lambda/" + ResourceName(env, function) }
