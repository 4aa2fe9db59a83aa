# The tools are built from the module proxy into bin/, at these versions.
GOLANGCI_LINT := v2.15.0
GOVULNCHECK   := v1.8.0
HELM          := v3.22.0

.DEFAULT_GOAL := help
.PHONY: help build test lint fmt generate demo bench chaos rolling fuzz matrix ci need

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-9s %s\n' "$$name" "$$text"; done

build: ## build bin/sinkd
	CGO_ENABLED=0 go build -trimpath -o bin/sinkd ./cmd/sinkd

# Nothing is taken from Go's cache of results: it does not know of what tests
# build and start.
test: need bin/helm-$(HELM) ## run all tests, with the race detector, on a real broker and real databases
	go test -race -count 1 -timeout 25m ./...
	SINKD_LAB_POSTGRES=18 go test -race -count 1 -timeout 10m ./migrations ./store

# With the race detector, as the tests: else all packages are compiled twice.
lint: need bin/golangci-lint-$(GOLANGCI_LINT) bin/govulncheck-$(GOVULNCHECK) ## vet; check form, imports and known vulnerabilities
	GOFLAGS=-race bin/golangci-lint-$(GOLANGCI_LINT) run
	bin/golangci-lint-$(GOLANGCI_LINT) fmt --diff
	go tool preprofile -i cmd/sinkd/default.pgo -o /dev/null # what the release is compiled by
	@# 3 = found something; anything else that is not 0 is no access to the list.
	bin/govulncheck-$(GOVULNCHECK) ./cmd/... || { test $$? -ne 3 && echo "govulncheck could not run: known vulnerabilities were NOT checked" >&2; }

fmt: bin/golangci-lint-$(GOLANGCI_LINT) ## format the code
	bin/golangci-lint-$(GOLANGCI_LINT) fmt

generate: need ## write what is made from the code: the table of variables in the README, the schema of the chart, docs/mapping.md, docs/errors.md
	go test ./cmd/sinkd/config -run "TestREADME|TestChartSchema" -update
	go test ./transform -run TestMapping -update
	go test ./store -run TestErrorsDocument -update

demo: ## move real data while sinkd is killed, and count; KEEP=1 leaves it running
	CGO_ENABLED=0 go run -gcflags=all=-l ./integration/demo

bench: need ## measure sinkd against psql
	go run ./integration/bench

chaos: need ## run the long kill campaign; SEED=n replays one
	go test -race -timeout 3h -count 1 -v -run TestKillCampaign ./integration -cycles 300 $(if $(SEED),-seed $(SEED))

rolling: need ## restart four replicas with 64 partitions under load, one after the other, and measure the hand-overs
	SINKD_LAB_LONG=1 go test -timeout 20m -count 1 -v -run TestRollingRestart ./integration

# FUZZTIME is the time of all fuzz targets together, in seconds or as 10m; half
# of it goes to the one that has a database.
FUZZTIME ?= 10m
fuzz: need ## look for values that are misread, or that Postgres refuses; FUZZTIME=10m
	@seconds=$$(( $$(echo $(FUZZTIME) | sed 's/m$$/*60/; s/s$$//') )); \
	for target in transform:Postgres:2 transform:Encode:6 transform:Scanner:6 stream:ReadLog:6; do \
		package=$${target%%:*} share=$${target##*:} target=$${target#*:}; \
		go test ./$$package -run '^$$' -fuzz "^Fuzz$${target%:*}\$$" -fuzztime $$(( seconds / share ))s || exit 1; \
	done

matrix: need ## run the database tests on PostgreSQL 14 to 18
	for version in 14 15 16 17 18; do SINKD_LAB_POSTGRES=$$version go test -race -timeout 30m -count 1 ./migrations ./store ./integration || exit 1; done

ci: FUZZTIME = 60s
ci: need lint test fuzz demo ## do what .ci/run does

need:
	@.ci/need

bin/golangci-lint-$(GOLANGCI_LINT):
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT)
	mv bin/golangci-lint $@

bin/govulncheck-$(GOVULNCHECK):
	GOBIN=$(CURDIR)/bin go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK)
	mv bin/govulncheck $@

# By the flags of the demo, which compile faster and share the standard library.
bin/helm-$(HELM):
	CGO_ENABLED=0 GOBIN=$(CURDIR)/bin go install -gcflags=all=-l helm.sh/helm/v3/cmd/helm@$(HELM)
	mv bin/helm $@
