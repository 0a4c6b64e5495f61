#!/usr/bin/env bash
# Runs cfn-lint and checkov on the golden templates of infra, which its tests compare with
# what the CDK makes. The linters come from PyPI once, into the cache.
#
# usage: scripts/lint-templates.sh            PYTHON names another Python (3.10 to 3.13)
set -euo pipefail
cd "$(dirname "$0")/../infra"

pins=$(sha256sum lint/requirements.txt | cut -c1-12)
venv=${MILLRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace}/lint-$pins
if [ ! -e "$venv/.done" ]; then
  python=${PYTHON:-python3}
  "$python" -c 'import venv' || { echo "lint-templates: $python with the module venv is needed; PYTHON names another" >&2; exit 1; }
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r lint/requirements.txt
  touch "$venv/.done"
fi

lint() { "$venv/bin/cfn-lint" --config-file lint/cfn-lint.yaml --regions us-east-1 eu-west-1 "$@"; }
lint --template internal/stack/testdata/aws*.json
# LocalStack wants a list of ways to get into Kafka even where it is empty, and AWS does
# not (E3032). The option replaces the list of the file.
lint --ignore-checks E3032 W3005 --template internal/stack/testdata/localstack*.json
# From inside: checkov takes a long path in a template's place for a secret.
config=$PWD/lint/checkov.yaml
cd internal/stack/testdata
"$venv/bin/checkov" --config-file "$config" -d .
echo "lint-templates: cfn-lint and checkov have nothing to say"
