// Package alarm evaluates the alarms of package spec over any source of data, by
// CloudWatch's rules: what CloudWatch does on AWS, this does for the embedded pipeline and
// in tests. Both read the same table, so an alarm means the same everywhere.
//
// Sources of the rules: Amazon CloudWatch User Guide, "Alarm evaluation" and "Configuring
// how CloudWatch alarms treat missing data".
package alarm
