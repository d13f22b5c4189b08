# The commands that one needs. Each is a go or docker command; nothing is hidden here.
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

run: ## the gateway with a mock LLM on localhost:8000
	go run . standalone -mock

build: ## the program, ./go-ai-proxy
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.build=$(VERSION)" -o go-ai-proxy .

test: ## all tests
	go test ./...

race: ## all tests with the race detector
	go test -race -short ./...

lint: ## vet, staticcheck, comments
	golangci-lint run ./...

tables: ## write schema.json's lists and the documentation's tables anew
	go test ./test -run Tables -update

bench: ## allocations and speed of the relay and of the translators
	go test -run '^$$' -bench . -benchmem ./plugin ./translators/...

image: ## the Kong image with the plugin
	docker build -t go-ai-proxy:$(VERSION) .

up: ## Kong with the plugin, a mock LLM and Prometheus
	docker compose --profile mock up --build

ci: ## all that must pass before a change lands (Debian)
	.ci/run

.PHONY: help run build test race lint tables bench image up ci
