package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// ReplicaSet is the name of the one-node replica set: transactions and change streams
// need one, and writes are acknowledged by a majority as in production.
const ReplicaSet = "rs0"

// MongoOptions says how to run a MongoDB server.
type MongoOptions struct {
	Dir     string  // its run directory, made if missing
	CacheGB float64 // of the storage engine; 0 is 0.25, the least that mongod takes
	Detach  bool    // let it outlive this process
}

// Mongo is a MongoDB 6.0.5 server, a replica set of one node.
type Mongo struct {
	*Server
}

// NewMongo describes a server; Start runs it.
func NewMongo(o MongoOptions) (*Mongo, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	m := &Mongo{&Server{name: "mongod", dir: dir, detach: o.Detach, grace: stopTimeout}}
	m.prepare = func(ctx context.Context) (*exec.Cmd, error) { return mongoCommand(ctx, dir, o.CacheGB) }
	m.ready = func(ctx context.Context) error { return MongoReady(ctx, keptAddr(dir, 0)) }
	return m, nil
}

// URI is the connection string; "" before the first Start.
func (m *Mongo) URI() string {
	if addr := keptAddr(m.dir, 0); addr != "" {
		return MongoURI(addr)
	}
	return ""
}

// MongoURI is the connection string of a replica set ReplicaSet of one node.
func MongoURI(addr string) string { return "mongodb://" + addr + "/?replicaSet=" + ReplicaSet }

func mongoCommand(ctx context.Context, dir string, cacheGB float64) (*exec.Cmd, error) {
	binary, err := mongodBinary(ctx)
	if err != nil {
		return nil, err
	}
	ports, err := keptPorts(dir, 1)
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, err
	}
	if cacheGB == 0 {
		cacheGB = 0.25
	}
	return exec.Command(
		binary, "--dbpath", data, "--bind_ip", "127.0.0.1", "--port", strconv.Itoa(ports[0]),
		"--replSet", ReplicaSet, "--wiredTigerCacheSizeGB", strconv.FormatFloat(cacheGB, 'g', -1, 64),
		"--nounixsocket", "--quiet",
		"--setParameter", "diagnosticDataCollectionEnabled=false", // written every second, for support only
	), nil
}

// Server error codes (MongoDB manual, "Error Codes").
const (
	codeAlreadyInitialized = 23
	codeNotYetInitialized  = 94
)

var errNoPrimary = errors.New("the replica set has no primary yet")

// MongoReady makes the mongod at addr a one-node replica set where it is not one yet, and
// returns nil once it is the primary. It tries once: call it through Poll.
func MongoReady(ctx context.Context, addr string) error {
	// The driver pauses 500 ms after a refused connection; this look costs nothing.
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	_ = conn.Close()
	client, err := mongo.Connect(options.Client().ApplyURI("mongodb://" + addr + "/?directConnection=true"))
	if err != nil {
		return err
	}
	defer func() { _ = client.Disconnect(context.WithoutCancel(ctx)) }()
	admin := client.Database("admin")
	var hello struct {
		Primary bool   `bson:"isWritablePrimary"`
		Set     string `bson:"setName"`
	}
	if err := admin.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		return err
	}
	if hello.Primary {
		return nil
	}
	if hello.Set != "" {
		return errNoPrimary
	}
	return initiate(ctx, admin, addr)
}

func initiate(ctx context.Context, admin *mongo.Database, addr string) error {
	err := admin.RunCommand(ctx, bson.D{{Key: "replSetGetStatus", Value: 1}}).Err()
	if err == nil {
		return errNoPrimary // initiated since hello was asked
	}
	if !hasCode(err, codeNotYetInitialized) {
		return fmt.Errorf("ask for the replica set's status: %w", err)
	}
	member := bson.D{{Key: "_id", Value: 0}, {Key: "host", Value: addr}}
	config := bson.D{{Key: "_id", Value: ReplicaSet}, {Key: "members", Value: bson.A{member}}}
	err = admin.RunCommand(ctx, bson.D{{Key: "replSetInitiate", Value: config}}).Err()
	if err != nil && !hasCode(err, codeAlreadyInitialized) {
		return err
	}
	return errNoPrimary
}

func hasCode(err error, code int) bool {
	var e mongo.ServerError
	return errors.As(err, &e) && e.HasErrorCode(code)
}
