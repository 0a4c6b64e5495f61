package pipeline

import (
	"context"
	"encoding/json"

	"github.com/millrace-pipeline/millrace/shared/fault"
)

// EncodingClaim says that the body is a reference to the bytes, kept elsewhere because
// they do not fit a message.
const EncodingClaim = "claim"

// Claims keeps bodies that are too large for a message (claim-check pattern): a bucket
// on AWS, files when embedded. What is in it outlives every queue's retention.
type Claims interface {
	// Put keeps the bytes durably and returns their reference. The same bytes may get
	// the same reference.
	Put(ctx context.Context, body []byte) (ref string, err error)
	// Get returns them. A reference that leads nowhere is fault.ClaimMissing.
	Get(ctx context.Context, ref string) ([]byte, error)
}

// claim is the body of a message with EncodingClaim.
type claim struct {
	Ref      string `json:"ref"`
	Encoding string `json:"encoding,omitempty"` // of the bytes it refers to
	Bytes    int    `json:"bytes"`
}

// checkIn leaves a body that is too large for a message with the claims.
func (r *Runner) checkIn(ctx context.Context, body []byte, a Attrs) ([]byte, Attrs, error) {
	return checkIn(ctx, body, a, r.Claims, r.ClaimOver)
}

// checkIn leaves a body of more than over bytes with the claims; 0 is no limit.
func checkIn(ctx context.Context, body []byte, a Attrs, claims Claims, over int) ([]byte, Attrs, error) {
	if over == 0 || len(body) <= over {
		return body, a, nil
	}
	ref, err := claims.Put(ctx, body)
	if err != nil {
		return nil, a, fault.Wrap(err, fault.ClaimUnavailable, "claim check")
	}
	small, err := json.Marshal(claim{Ref: ref, Encoding: a.Encoding, Bytes: len(body)})
	a.Encoding = EncodingClaim
	return small, a, err
}

// checkOut fetches the body that a delivery refers to. Other deliveries come back as they are.
func (r *Runner) checkOut(ctx context.Context, d *Delivery) (*Delivery, error) {
	if d.Attrs.Encoding != EncodingClaim {
		return d, nil
	}
	return CheckOut(ctx, d, r.Claims)
}

// CheckOut returns the delivery with the body that its claim refers to.
func CheckOut(ctx context.Context, d *Delivery, claims Claims) (*Delivery, error) {
	var c claim
	if err := json.Unmarshal(d.Body, &c); err != nil || c.Ref == "" {
		return nil, fault.New(fault.BadPack, "the body is no claim")
	}
	body, err := claims.Get(ctx, c.Ref)
	if err != nil {
		return nil, fault.Wrap(err, fault.ClaimUnavailable, "claim check")
	}
	if len(body) != c.Bytes {
		return nil, fault.New(fault.ClaimMissing, "claim %s has %d bytes, expected %d", c.Ref, len(body), c.Bytes)
	}
	opened := *d
	opened.Body, opened.Attrs.Encoding = body, c.Encoding
	return &opened, nil
}
