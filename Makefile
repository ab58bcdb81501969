# Each target sets up what it needs; the first run takes some minutes, later ones seconds.
.DEFAULT_GOAL := help
.PHONY: help demo test lint bench benchstore format clean

BIN := .venv/bin
CHROMIUM := chromium:chromium
CLIENTS := clickhouse-client:clickhouse-client clickhouse-tools:clickhouse-benchmark nghttp2-client:nghttp curl:curl
NETWORK := iproute2:ip nftables:/usr/sbin/nft iptables:/usr/sbin/iptables
PEERS := haproxy:/usr/sbin/haproxy nginx-light:/usr/sbin/nginx wrk:wrk

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

demo: ## a shop of eight services under the mesh, with load and a web UI; Ctrl-C ends it
	@deploy/prepare.sh all
	@$(BIN)/whymesh demo

test: ## everything that checks: Rust and Python tests, real processes, a real browser
	@deploy/prepare.sh dev $(CHROMIUM) $(CLIENTS) $(NETWORK)
	cargo test --workspace --quiet
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: ## formatting, lints, types, import rules, stubs
	@deploy/prepare.sh dev
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --features python --quiet -- -D warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m mypy.stubtest proxy._engine collector._columnar

bench: ## ours and its peers in turn on the same core: requests/s, CPU a request, memory, as ratios
	@deploy/prepare.sh dev,bench $(CLIENTS) $(PEERS)
	$(BIN)/python -m tests.bench --json target/bench.json

benchstore: ## our collector beside the OpenTelemetry Collector; questions to ten million spans; the root-cause engine's cost (needs Go)
	@deploy/prepare.sh dev
	$(BIN)/python -m tests.bench.collecting
	$(BIN)/python -m tests.bench.history
	$(BIN)/python -m tests.bench.incident
	$(BIN)/python -m tests.bench.watching

format: ## rewrite all sources in the house style
	@deploy/prepare.sh dev
	cargo fmt --all
	$(BIN)/ruff check --fix --quiet .
	$(BIN)/ruff format --quiet .

clean: ## remove everything that was built
	rm -rf .venv target build *.egg-info proxy/*.so collector/*.so
