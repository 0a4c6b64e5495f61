package spec

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// unknown makes an error of every name that is left over, with the known one that was
// most likely meant. The first skip characters are the same in all.
func unknown(given map[string]string, known []string, skip int) []error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(given)) {
		err := errors.New("there is no such setting")
		if near := nearest(name, known, skip); near != "" {
			err = fmt.Errorf("there is no such setting; did you mean %s?", near)
		}
		errs = append(errs, &settingError{name, err})
	}
	return errs
}

// nearest is the known name that a misspelt one most likely means: at most a third of its
// letters, not counting the first skip, differ. "" if there is none.
func nearest(name string, known []string, skip int) string {
	best, least := "", len(name)
	for _, k := range known {
		if d := distance(name, k); d < least {
			best, least = k, d
		}
	}
	if least > (len(name)-skip+2)/3 {
		return ""
	}
	return best
}

// distance is the number of characters to insert, delete, replace, or swap with their
// neighbour to make a into b (optimal string alignment).
func distance(a, b string) int {
	before, above := make([]int, len(b)+1), make([]int, len(b)+1)
	row := make([]int, len(b)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
