package function

import (
	samples "github.com/millrace-pipeline/millrace/events-samples"
	"github.com/millrace-pipeline/millrace/shared/handlers"
	"github.com/millrace-pipeline/millrace/shared/schema"
	"github.com/millrace-pipeline/millrace/shared/spec"
)

// Handlers are the user's handlers, as the settings have them.
func Handlers(s spec.Settings) (*handlers.Registry, error) {
	return handlers.New(handlers.Settings{PseudonymKey: s.PseudonymKey.Bytes()})
}

// Schemas are the schemas that are built in, as the settings have them checked.
func Schemas(s spec.Settings) (*schema.Registry, error) {
	return schema.Load(samples.Schemas, s.SchemaUnknown == spec.SchemaRefuse)
}
