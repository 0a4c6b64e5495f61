package mongostore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/millrace-pipeline/millrace/shared/store"
)

// Options of Open and Init. The zero value of a field means its default.
type Options struct {
	URI       string                      // connection string; required
	Database  string                      // default: the one that the URI's path names, else "millrace"
	Aggregate func(eventType string) bool // the types that ask for aggregates; nil: none
	Now       func() time.Time            // default time.Now

	MaxConnections int           // at most so many at once; default 16
	ConnectTimeout time.Duration // how long Open and Init wait for a primary; default 5 s
	// SelectTimeout is how long a later call waits for a primary; default 3 s. The driver's
	// own 30 s would take up the whole of an invocation, and an election mostly takes less.
	// serverSelectionTimeoutMS in the URI comes before it.
	SelectTimeout time.Duration
	// Timeout bounds a write, a lease and a check, whatever their context allows; default
	// 30 s, at most 5 min. It must be well below how long a batch's document is left alone
	// (recoverAfter).
	Timeout time.Duration
}

const maxTimeout = 5 * time.Minute

func (o Options) withDefaults() (Options, error) {
	if o.URI == "" {
		return o, errors.New("the MongoDB connection string is empty")
	}
	if o.Database == "" {
		o.Database = databaseOf(o.URI)
	}
	if o.Aggregate == nil {
		o.Aggregate = func(string) bool { return false }
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxConnections <= 0 {
		o.MaxConnections = 16
	}
	if o.ConnectTimeout <= 0 {
		o.ConnectTimeout = 5 * time.Second
	}
	if o.SelectTimeout <= 0 {
		o.SelectTimeout = 3 * time.Second
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	o.Timeout = min(o.Timeout, maxTimeout)
	return o, nil
}

// Store is an open event store. It is safe for concurrent use; any number of processes
// may have the database open.
type Store struct {
	client *mongo.Client
	db     *mongo.Database
	pool   *poolWatch

	aggregate func(string) bool
	now       func() time.Time
	timeout   time.Duration

	writers     sync.Pool   // of *chunkWriter
	redelivered atomic.Bool // the last chunk was mostly known already (write.go)

	completed, completedBytes atomic.Int64 // batches, and bytes of them since the last fold (fold.go)

	close    sync.Once
	closeErr error
}

var _ store.Store = (*Store)(nil)

// Open connects to the database and checks that it is as Init leaves it. The errors are
// one line each, say what an operator can do, and never show the URI's password.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := connect(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := checkAll(ctx, s.db); err != nil {
		return nil, errors.Join(readable(err), s.Close())
	}
	return s, nil
}

// Init makes the collections and indexes that are missing, and changes none that are
// there. An index on a collection with many events takes minutes, during which the store
// can be used.
func Init(ctx context.Context, o Options) error {
	s, err := connect(ctx, o)
	if err != nil {
		return err
	}
	err = createAll(ctx, s.db)
	if err == nil {
		err = checkAll(ctx, s.db)
	}
	if err != nil {
		err = fmt.Errorf("prepare the event store: %w", readable(err))
	}
	return errors.Join(err, s.Close())
}

// connect returns when a primary has answered.
func connect(ctx context.Context, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	pool := new(poolWatch)
	client, err := dial(o, pool)
	if err != nil {
		return nil, err
	}
	s := &Store{
		client: client, db: client.Database(o.Database), pool: pool,
		aggregate: o.Aggregate, now: o.Now, timeout: o.Timeout,
	}
	ctx, cancel := context.WithTimeout(ctx, o.ConnectTimeout)
	defer cancel()
	if err := checkServer(ctx, client); err != nil {
		text := hideSecrets(readable(err).Error(), o.URI)
		if ctx.Err() != nil {
			text += fmt.Sprintf(" (waited %v)", o.ConnectTimeout)
		}
		return nil, errors.Join(fmt.Errorf("connect to the event store: %s", text), s.Close())
	}
	return s, nil
}

// maxIdle is below the 350 s after which an AWS NAT gateway forgets a silent connection.
const maxIdle = 4 * time.Minute

func dial(o Options, pool *poolWatch) (*mongo.Client, error) {
	if err := CheckURI(o.URI); err != nil {
		return nil, err
	}
	// What the store relies on comes after the URI, which must not change it.
	c := options.Client().
		SetAppName("millrace").
		SetMaxPoolSize(uint64(o.MaxConnections)).
		SetMaxConnIdleTime(maxIdle).
		SetServerSelectionTimeout(o.SelectTimeout).
		ApplyURI(o.URI).
		SetWriteConcern(writeconcern.Majority()).
		SetReadConcern(readconcern.Local()).
		SetReadPreference(readpref.Primary()).
		SetPoolMonitor(pool.monitor())
	client, err := mongo.Connect(c)
	if err != nil {
		// Not wrapped: the driver's error may hold the connection string.
		return nil, fmt.Errorf("the MongoDB connection string is not valid: %s", hideSecrets(err.Error(), o.URI))
	}
	return client, nil
}

// minWireVersion is MongoDB 5.0's.
const minWireVersion = 13

func checkServer(ctx context.Context, client *mongo.Client) error {
	var hello struct {
		Set  string `bson:"setName"`
		Msg  string `bson:"msg"`
		Wire int    `bson:"maxWireVersion"`
	}
	if err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return err
	}
	switch {
	case hello.Wire < minWireVersion:
		return errors.New("the server is older than MongoDB 5.0")
	case hello.Set == "" && hello.Msg != "isdbgrid":
		return errors.New("the server is no member of a replica set, which transactions need: start mongod with --replSet and run rs.initiate() once (one member is enough)")
	}
	return nil
}

func (s *Store) collection(name string, o ...options.Lister[options.CollectionOptions]) *mongo.Collection {
	return s.db.Collection(name, o...)
}

// bounded limits a call to Options.Timeout. The driver passes what is left of it to the
// server, which stops working on it then.
func (s *Store) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.timeout)
}

// Check implements store.Store: it writes a document and reads it back.
func (s *Store) Check(ctx context.Context) error {
	ctx, cancel := s.bounded(ctx)
	defer cancel()
	id := bson.D{{Key: "_id", Value: "heartbeat"}}
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "at", Value: s.now()}}}}
	_, err := s.collection(collState).UpdateOne(ctx, id, set, options.UpdateOne().SetUpsert(true))
	if err == nil {
		err = s.collection(collState).FindOne(ctx, id).Err()
	}
	return failed(err, "check store")
}

// Close ends the connections. Calls after it return an error.
func (s *Store) Close() error {
	s.close.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		s.closeErr = s.client.Disconnect(ctx)
	})
	return s.closeErr
}

// closeTimeout is how long running calls may take to end.
const closeTimeout = 10 * time.Second
