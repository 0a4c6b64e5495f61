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
// State and its methods are pure: the time is an argument. Pager is the flow around them.
package oncall
