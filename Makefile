# `make` or `make help` lists the targets.
GO        ?= go
GOBIN     := $(shell $(GO) env GOPATH)/bin
LINT      := $(GOBIN)/golangci-lint
LINT_VER  := v2.15.0
BIN       := build/millrace
DATA      ?= .millrace
CDK       ?= npx --yes aws-cdk@2.1148.1
TARGET    ?= aws
ENV       ?= dev

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort | awk -F'\t' '{printf "  make %-18s %s\n", $$1, $$2}'

.PHONY: build
build: ## Build the command line into build/millrace.
	@mkdir -p build
	$(GO) build -trimpath -o $(BIN) ./scripts/millrace

.PHONY: run
run: build ## Run the pipeline on the 842 real flights of 1 January 2013; needs nothing but Go.
	$(BIN) run --data $(DATA) --demo events-samples/flights/2013-01-01.ndjson.gz

.PHONY: test
test: build lint ## Build, lint (vet included), and all fast tests with the race detector.
	$(GO) test -race $$($(GO) list ./... | grep -v /infra)
	$(GO) test ./infra/... # without -race: jsii-runtime waits twice for its process, which the detector reports

.PHONY: lint
lint: $(LINT) ## Lint, the layer rule included.
	$(LINT) run ./...

$(LINT):
	$(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VER)

.PHONY: integration
integration: functions ## Tests against real servers and the deployed stacks (all started from package registries).
	MILLRACE_REQUIRE=mongo,kafka,localstack,node $(GO) test -tags integration -count=1 -p 1 -timeout 30m \
		$$($(GO) list ./localstack/... ./functions/... ./shared/adapter/... ./scripts/millrace/... | grep -v localstack/alarms)

.PHONY: integration-alarms
integration-alarms: functions ## Fire every alarm on stacks of its own, and read the pages; SHORT=-short: by metrics alone.
	MILLRACE_REQUIRE=mongo,kafka,localstack,node $(GO) test -tags integration -count=1 -v -timeout 20m $(SHORT) ./localstack/alarms/

.PHONY: lint-templates
lint-templates: ## Lint the CloudFormation templates with cfn-lint and checkov (from PyPI).
	./scripts/lint-templates.sh

.PHONY: test-docker
test-docker: ## The smoke part of the integration tests with LocalStack in a container, on a Docker engine of its own.
	./localstack/test-docker.sh

.PHONY: fuzz
fuzz: ## Fuzz every target for 30 s each.
	./scripts/fuzz.sh 30s

.PHONY: bench
bench: build ## Measure the hot paths, and events/s and latency end to end.
	$(GO) test -run '^$$' -bench . -benchtime 200ms ./shared/...
	$(BIN) bench

.PHONY: bench-kafka-mongo
bench-kafka-mongo: build ## Measure with a real Kafka and MongoDB: $$MILLRACE_KAFKA and $$MONGODB_URI.
	$(BIN) bench --kafka $(MILLRACE_KAFKA)

.PHONY: bench-report
bench-report: build ## Measure everything and write docs/PERFORMANCE.md; takes minutes, on an idle machine.
	$(GO) run ./scripts/perf $(if $(MILLRACE_KAFKA),-real)

.PHONY: bench-compare
bench-compare: ## Compare the benchmarks with those of the commit before (REF=…), by benchstat.
	./scripts/bench-compare.sh $(REF)

.PHONY: functions
functions: ## Build the Lambda functions: build/functions/<arch>/<name>.zip, same commit, same bytes.
	$(GO) run ./scripts/functions

.PHONY: localstack-up
localstack-up: ## Start LocalStack, Kafka and MongoDB for development, and print where they are.
	@$(GO) run ./localstack/cmd/hosts up

.PHONY: localstack-down
localstack-down: ## Stop what localstack-up has started.
	@$(GO) run ./localstack/cmd/hosts down

.PHONY: bootstrap
bootstrap: functions ## Prepare an account and region for the CDK, once.
	$(CDK) bootstrap -c target=$(TARGET) $(CONTEXT)

.PHONY: deploy
deploy: build functions ## Deploy both stacks: TARGET=aws|localstack ENV=dev CONTEXT="-c kafka=…".
	$(CDK) deploy --all -c target=$(TARGET) -c env=$(ENV) $(CONTEXT) $(if $(filter localstack,$(TARGET)),--require-approval never)

.PHONY: rollback
rollback: build ## Put the functions back to the version before: TARGET=… ENV=….
	$(BIN) rollback --target $(TARGET) --env $(ENV) --execute

.PHONY: docs
docs: ## Write the generated pages in docs/.
	$(GO) generate ./...

.PHONY: clean
clean: ## Delete what the targets build (not the data directory).
	rm -rf build
