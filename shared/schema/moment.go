package schema

// days of each month; the 29th of February is left to the library.
var days = [...]int{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// isDate accepts dates as RFC 3339 has them.
func isDate(t []byte) bool {
	if len(t) != len("2006-01-02") || t[4] != '-' || t[7] != '-' {
		return false
	}
	for _, c := range [...]byte{t[0], t[1], t[2], t[3]} {
		if !digit(c) {
			return false
		}
	}
	month, day := two(t[5:]), two(t[8:])
	return 1 <= month && month <= 12 && 1 <= day && day <= days[month-1]
}

// isDateTime accepts dates with a time of day as RFC 3339 has them. Leap seconds are left
// to the library.
func isDateTime(t []byte) bool {
	const seconds = len("2006-01-02T15:04:05")
	if len(t) <= seconds || !isDate(t[:10]) || t[10] != 'T' || t[13] != ':' || t[16] != ':' {
		return false
	}
	if !below(two(t[11:]), 24) || !below(two(t[14:]), 60) || !below(two(t[17:]), 60) {
		return false
	}
	rest := t[seconds:]
	if rest[0] == '.' {
		n := 1
		for n < len(rest) && digit(rest[n]) {
			n++
		}
		if n == 1 {
			return false
		}
		rest = rest[n:]
	}
	if len(rest) == 1 {
		return rest[0] == 'Z'
	}
	return len(rest) == len("+01:00") && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':' &&
		below(two(rest[1:]), 24) && below(two(rest[4:]), 60)
}

// two digits as a number, -1 if they are none.
func two(t []byte) int {
	if !digit(t[0]) || !digit(t[1]) {
		return -1
	}
	return int(t[0]-'0')*10 + int(t[1]-'0')
}

func below(n, limit int) bool { return 0 <= n && n < limit }
