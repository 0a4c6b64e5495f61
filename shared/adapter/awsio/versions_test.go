package awsio

import "testing"

func TestVersionsBefore(t *testing.T) {
	for _, c := range []struct {
		v    Versions
		want int // 0: none
	}{
		{Versions{Live: 3, Published: []int{1, 2, 3}}, 2},
		{Versions{Live: 7, Published: []int{2, 4, 7, 9}}, 4},         // deleted ones are skipped, newer ones too
		{Versions{Live: 3, Canary: 4, Published: []int{2, 3, 4}}, 3}, // stops the deployment
		{Versions{Live: 5, Published: []int{5, 6}}, 0},               // rolled back as far as it goes
		{Versions{Live: 5, Published: []int{2, 9}}, 2},               // the live one was just deleted
		{Versions{Live: 1, Published: []int{1}}, 0},                  // the first deployment
		{Versions{Live: 1, Canary: 2, Published: []int{1, 2}}, 1},    // the second, under way
	} {
		got, ok := c.v.Before()
		if got != c.want || ok != (c.want != 0) {
			t.Errorf("%+v: %d, %v", c.v, got, ok)
		}
	}
}
