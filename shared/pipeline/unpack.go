package pipeline

import (
	"context"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/event/pack"
	"github.com/millrace-pipeline/millrace/shared/fault"
)

// packSlack is what a pack may expand to beyond one largest event: what the encoder
// itself may put into one, twice.
const packSlack = 2 * pack.MaxRawBytes

// read opens a delivery and decodes the events in it.
func (r *Runner) read(ctx context.Context, d *Delivery) (items []event.Item, err error) {
	opened, err := r.checkOut(ctx, d)
	if err != nil {
		return nil, err
	}
	if opened.Attrs.ContentType == ContentTypeEnvelope {
		if opened, err = OpenEnvelope(opened); err != nil {
			return nil, err
		}
	}
	defer func() { // a decoder that panics fails its delivery, not the batch
		if p := recover(); p != nil {
			err = fault.New(fault.BadPack, "the decoder panicked: %v", p)
		}
	}()
	if r.Decode != nil {
		return r.Decode(opened)
	}
	return Unpack(opened, r.MaxEvent)
}

// Unpack decodes what a stage sent: a pack, or one plain event.
func Unpack(d *Delivery, maxEvent int) ([]event.Item, error) {
	return pack.Decode(d.Body, d.Attrs.ContentType, d.Attrs.Encoding, maxEvent+packSlack)
}
