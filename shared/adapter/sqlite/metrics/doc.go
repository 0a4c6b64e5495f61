// Package metrics is what the embedded target has in place of CloudWatch: a SQLite file
// in which the running process records what its invocations measured, and which other
// processes read (`millrace status`, the evaluator of alarms).
//
// What is recorded are data points: of each metric, stage and second the number of
// values, their sum, least and greatest, and of a distribution (EventLatency) a
// histogram, from which percentiles within 1 % can be had for any length of time. After
// an hour seconds become minutes, after 15 days minutes go; the totals since the file
// was made stay. A process that is never idle has 120,000 points of seconds and 710,000
// of minutes: 80 bytes each, about 70 MB.
//
// Record only adds numbers in memory. Once a second Run writes what came together, in
// one transaction. So a kill -9 loses at most what the last second measured: the numbers
// of the report, never an event. When the file cannot be written, points are kept and
// become minutes in memory, so that an outage of the disk costs resolution and not counts.
package metrics
