// Package oncall makes a page of an alarm, and sees that somebody answers it.
//
// An alarm's change of state becomes a page (Page), which is published to the topic of
// its severity. Pages stay open until the alarm is OK again. One that nobody
// acknowledges within the severity's response time goes to the next role of its chain.
//
// # Nothing is lost, and little comes twice
//
// What is to be published is written down first, as a Notice of the page; then it is
// published; then the notice is struck out. A crash in between repeats the publication,
// marked as a repetition, by the retry of the invocation or by the next tick at the
// latest. When the pages cannot be read or written, the page is published all the same
// and says so: paging does not depend on the bucket.
//
// What CloudWatch's messages do not tell, a tick asks for: an alarm that is in ALARM and has
// no page gets one (Find), one that has a page and is OK ends it (Reconcile).
//
// # Not every change is a page
//
// The pages of a deployment that has never been whole are held: they go out when it has had
// the time to be (Arm). The page of an alarm that is OK because a deployment mutes it is
// muted, and goes on when the mute ends.
//
// State and its methods are pure: the time is an argument. Pager is the flow around them.
package oncall
