package stack

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-pipeline/millrace/shared/spec"
)

// pseudonymKeyLength in characters of 6 bits: more than the 256 bits of the hash it keys.
const pseudonymKeyLength = 64

func (d *Data) addSecrets(o *Options) {
	d.PseudonymSecret = d.secret(o, "PseudonymKey", spec.PseudonymKeySecret, "Millrace: key of the pseudonyms; another key gives other pseudonyms",
		&awssecretsmanager.SecretStringGenerator{
			PasswordLength: jsii.Number(pseudonymKeyLength), ExcludePunctuation: jsii.Bool(true),
		})
	if given := o.Deployment.MongoSecretARN; given != "" {
		d.MongoSecret = &given
		return
	}
	d.MongoSecret = d.secret(o, "MongoURI", spec.MongoSecret, "Millrace: connection string of MongoDB, mongodb+srv://…", nil)
}

// secret makes one, with a random value or, where generate is nil, without any: it is put
// in by hand once, and a deployment never writes over it.
func (d *Data) secret(o *Options, id, name, description string, generate *awssecretsmanager.SecretStringGenerator) *string {
	s := awssecretsmanager.NewSecret(d.Stack, &id, &awssecretsmanager.SecretProps{
		SecretName:           jsii.String(spec.SecretName(o.Deployment.Settings.Env, name)),
		Description:          &description,
		EncryptionKey:        d.Key,
		GenerateSecretString: generate,
		RemovalPolicy:        o.removal(),
	})
	if generate == nil {
		s.Node().DefaultChild().(awssecretsmanager.CfnSecret).AddPropertyDeletionOverride(jsii.String("GenerateSecretString"))
	}
	return s.SecretArn()
}
