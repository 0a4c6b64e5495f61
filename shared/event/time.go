package event

import "time"

// timestamp is what parseTime read. The zero timestamp is no time.
type timestamp struct {
	year, month, day, hour, minute, second, nanos int
	offset                                        time.Duration
}

// utc is the timestamp in UTC; the zero time of no time. A leap second is the first
// second of the next minute.
func (t timestamp) utc() time.Time {
	if t.month == 0 {
		return time.Time{}
	}
	return time.Date(t.year, time.Month(t.month), t.day, t.hour, t.minute, t.second, t.nanos, time.UTC).Add(-t.offset)
}

// parseTime reads a timestamp by the grammar of RFC 3339, section 5.6, strictly: unlike
// time.Parse it takes a lower-case t and z and a leap second, which the RFC allows, and
// no decimal comma, which it does not.
func parseTime(s string) (t timestamp, ok bool) {
	const shortest = len("2006-01-02T15:04:05Z")
	if len(s) < shortest || s[4] != '-' || s[7] != '-' || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return timestamp{}, false
	}
	t = timestamp{
		year: two(s, 0)*100 + two(s, 2), month: two(s, 5), day: two(s, 8),
		hour: two(s, 11), minute: two(s, 14), second: two(s, 17),
	}
	if two(s, 0) < 0 || two(s, 2) < 0 || t.month < 1 || t.month > 12 || t.day < 1 || t.day > daysIn(t.year, t.month) ||
		uint(t.hour) > 23 || uint(t.minute) > 59 || uint(t.second) > 60 {
		return timestamp{}, false
	}
	rest := s[shortest-1:]
	if t.nanos, rest, ok = fraction(rest); ok {
		t.offset, ok = zone(rest)
	}
	if !ok {
		return timestamp{}, false
	}
	return t, true
}

// two is the number that the two digits at s[i] are, negative if they are none.
func two(s string, i int) int {
	tens, units := s[i]-'0', s[i+1]-'0'
	if tens > 9 || units > 9 {
		return -1
	}
	return int(tens)*10 + int(units)
}

// fraction reads an optional fraction of a second; digits beyond nanoseconds are dropped.
func fraction(s string) (nanos int, rest string, ok bool) {
	if s[0] != '.' {
		return 0, s, true
	}
	i, unit := 1, int(time.Second)
	for ; i < len(s) && s[i]-'0' <= 9; i++ {
		unit /= 10
		nanos += int(s[i]-'0') * unit
	}
	return nanos, s[i:], i > 1
}

// zone reads Z or a numeric offset.
func zone(s string) (offset time.Duration, ok bool) {
	if len(s) == 1 {
		return 0, s[0]|0x20 == 'z'
	}
	if len(s) != len("+00:00") || s[0] != '+' && s[0] != '-' || s[3] != ':' {
		return 0, false
	}
	hour, minute := two(s, 1), two(s, 4)
	if uint(hour) > 23 || uint(minute) > 59 {
		return 0, false
	}
	offset = time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
	if s[0] == '-' {
		offset = -offset
	}
	return offset, true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
