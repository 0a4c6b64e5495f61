package mongostore

import (
	"errors"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/auth"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/description"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/millrace-pipeline/millrace/shared/fault"
	"github.com/millrace-pipeline/millrace/shared/store"
)

// Server error codes (mongo/base/error_codes.yml).
const (
	codeNamespaceExists     = 48
	codeSnapshotTooOld      = 239
	codeSnapshotUnavailable = 246
	codeDuplicateKey        = 11000
)

// rejections are the codes by which the server refuses a document for what it is: no
// later attempt does better. Every other code is taken to pass.
var rejections = map[int]string{
	2:     "a value that MongoDB does not take",
	9:     "a field that MongoDB cannot read",
	14:    "a field of a wrong type",
	15:    "more levels than MongoDB takes",
	22:    "bytes that are no valid BSON",
	52:    "a field name with a dollar that MongoDB does not take",
	55:    "a field $ref, $id or $db that MongoDB does not take",
	56:    "an empty field name that MongoDB does not take",
	57:    "a field name with a dot that MongoDB does not take",
	121:   "it does not pass the validator of the collection",
	10334: tooLarge,
	17280: "a key is too long for an index",
	17419: tooLarge,
	17420: tooLarge,
}

const tooLarge = "its document is larger than MongoDB takes"

// rejected is the permanent fault of a document that the server refused with a code.
func rejected(meaning string, code int, op string) error {
	f := fault.New(fault.StoreRejected, "%s (code %d)", meaning, code)
	f.Op = op
	return f
}

// deniedCodes are those by which a server refuses who asks (mongo/base/error_codes.yml;
// Atlas answers 8000 for a wrong password).
var deniedCodes = []int{13, 18, 8000}

// Denied reports whether err says that MongoDB does not take the user or the password.
func Denied(err error) bool {
	var handshake *auth.Error
	if errors.As(err, &handshake) {
		return true
	}
	var server mongo.ServerError
	return errors.As(err, &server) && slices.ContainsFunc(deniedCodes, server.HasErrorCode)
}

// unreached reports whether the server got nothing to do: none was found, or it did not
// let us in.
func unreached(err error) bool {
	var sel topology.ServerSelectionError
	return errors.As(err, &sel) || Denied(err)
}

// failed classifies an error of the driver. The contract's own errors pass unchanged.
func failed(err error, op string) error {
	for _, known := range []error{store.ErrNotFound, store.ErrAmbiguous, store.ErrBadCursor} {
		if errors.Is(err, known) {
			return err
		}
	}
	reason := fault.StoreUnavailable
	if unreached(err) {
		reason = fault.StoreUnreachable
	}
	return fault.Wrap(readable(err), reason, op)
}

// failedLease classifies an error of writing a lease, which has the event and the result.
func failedLease(err error, op string) error {
	for code, meaning := range rejections {
		if hasCode(err, code) {
			return rejected(meaning, code, op)
		}
	}
	return failed(err, op)
}

func hasCode(err error, code int) bool {
	var e mongo.ServerError
	return errors.As(err, &e) && e.HasErrorCode(code)
}

// readableError has a text that an operator understands.
type readableError struct {
	text string
	err  error
}

func (e *readableError) Error() string { return e.text }
func (e *readableError) Unwrap() error { return e.err }

// readable puts the driver's account of the servers it cannot reach in one short line.
func readable(err error) error {
	var sel topology.ServerSelectionError
	if !errors.As(err, &sel) {
		return err
	}
	var servers []string
	for _, s := range sel.Desc.Servers {
		servers = append(servers, s.Addr.String()+" "+stateOf(&s))
	}
	if servers == nil {
		servers = []string{strings.TrimSpace("no server that the connection string names belongs to its replica set " + sel.Desc.SetName)}
	}
	return &readableError{"MongoDB: " + strings.Join(servers, "; "), err}
}

func stateOf(s *description.Server) string {
	switch {
	case s.LastError != nil:
		return "does not answer: " + rootCause(s.LastError).Error()
	case s.Kind == 0:
		return "does not answer"
	default:
		return "is no primary, but " + s.Kind.String()
	}
}

func rootCause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
