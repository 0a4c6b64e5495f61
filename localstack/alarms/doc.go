// Package alarms shows that every alarm of the table fires on a deployed pipeline, that
// the right page goes out, once, and that all of it ends when the fault does. Its tests
// need the build tag integration.
//
// The deployment is one of its own: the setting alarmShorten cuts all periods of its
// alarms to ten seconds, and the tests run its scheduled functions as often. Nothing else
// differs from what a user deploys.
package alarms
