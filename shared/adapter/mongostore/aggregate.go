package mongostore

import (
	"context"
	"errors"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/millrace-pipeline/millrace/shared/event"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// aggregateDoc is a document of the collection aggregates, and an entry of a batch. The
// latest event's data is not copied: it is in that event's document.
type aggregateDoc struct {
	ID      string           `bson:"_id"` // source, keySeparator, subject
	Source  string           `bson:"source"`
	Subject string           `bson:"subject"`
	Version int64            `bson:"version"`
	First   bson.DateTime    `bson:"first"`
	Latest  latestDoc        `bson:"latest"`
	Types   map[string]int64 `bson:"types"` // by fieldName of the type
}

// latestDoc is compared as a whole: first the time, then the id.
type latestDoc struct {
	Time bson.DateTime `bson:"time"`
	ID   string        `bson:"id"`
	Type string        `bson:"type"`
}

func (k subjectKey) id() string { return k.source + keySeparator + k.subject }

func (l latest) document() latestDoc { return latestDoc{bson.DateTime(l.time), l.id, l.typ} }
func (d *latestDoc) parse() latest   { return latest{int64(d.Time), d.ID, d.Type} }

func (s *summary) document(k subjectKey) aggregateDoc {
	d := aggregateDoc{
		ID: k.id(), Source: k.source, Subject: k.subject, Version: s.version,
		First: bson.DateTime(s.first), Latest: s.latest.document(), Types: make(map[string]int64, len(s.byType)),
	}
	for typ, n := range s.byType {
		d.Types[fieldName(typ)] = n
	}
	return d
}

func (d *aggregateDoc) parse() (subjectKey, *summary) {
	s := &summary{
		version: d.Version, first: int64(d.First), latest: d.Latest.parse(),
		byType: make(map[string]int64, len(d.Types)),
	}
	for name, n := range d.Types {
		s.byType[typeOf(name)] = n
	}
	return subjectKey{d.Source, d.Subject}, s
}

// An update names a field by a path: dots divide it, and a dollar has a meaning.
var (
	nameEncoder = strings.NewReplacer("%", "%25", ".", "%2E", "$", "%24")
	nameDecoder = strings.NewReplacer("%25", "%", "%2E", ".", "%24", "$")
)

// fieldName is the name of the field for a type's count.
func fieldName(typ string) string { return nameEncoder.Replace(typ) }
func typeOf(name string) string   { return nameDecoder.Replace(name) }

// Aggregate implements store.Analytics.
func (s *Store) Aggregate(ctx context.Context, source, subject string) (store.Aggregate, error) {
	k := subjectKey{source, subject}
	var sum *summary
	var data []byte
	err := s.snapshot(ctx, func(ctx context.Context) error {
		pending, err := s.pending(ctx)
		if err != nil {
			return err
		}
		sum = pending.summary(k)
		if err := s.addAggregate(ctx, k, sum); err != nil {
			return err
		}
		if sum.version == 0 {
			return store.ErrNotFound
		}
		data, err = s.dataOf(ctx, event.Key{Source: source, ID: sum.latest.id})
		return err
	})
	if err != nil {
		return store.Aggregate{}, failed(err, "read aggregate")
	}
	a := store.Aggregate{
		Source: source, Subject: subject, Version: sum.version,
		First: fromMillis(sum.first), Last: fromMillis(sum.latest.time),
		ByType: sum.byType, LatestID: sum.latest.id, LatestType: sum.latest.typ, LatestData: data,
	}
	return a, nil
}

// addAggregate adds what has been folded.
func (s *Store) addAggregate(ctx context.Context, k subjectKey, sum *summary) error {
	var d aggregateDoc
	err := s.collection(collAggregates).FindOne(ctx, bson.D{{Key: "_id", Value: k.id()}}).Decode(&d)
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil
	}
	if err != nil {
		return err
	}
	_, folded := d.parse()
	sum.add(folded)
	return nil
}

// dataOf a stored event; nil when it has none, or is no longer there.
func (s *Store) dataOf(ctx context.Context, k event.Key) (data []byte, err error) {
	err = s.eachEvent(ctx, bson.D{{Key: "_id", Value: keyOf(k)}}, func(e *event.Event, _ int64) { data = e.Data() })
	return data, err
}

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
