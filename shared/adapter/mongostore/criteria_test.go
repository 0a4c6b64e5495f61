package mongostore

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
)

func TestAttributeValue(t *testing.T) {
	for v, other := range map[string]any{"acme": nil, "7": int32(7), "-7": int32(-7), "007": nil, "true": true, "false": false, "1.0": nil, "99999999999": nil} {
		want := any(v)
		if other != nil {
			want = bson.D{{Key: "$in", Value: bson.A{v, other}}}
		}
		if diff := cmp.Diff(want, attributeValue(v)); diff != "" {
			t.Errorf("attributeValue(%q) (-want +got):\n%s", v, diff)
		}
	}
}
