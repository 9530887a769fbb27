# make demo    set up, then run an order through a worker that is killed half-way
# make test    set up, then run all tests
# make help    the rest

PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
JOBS   ?= 3

CORE_SOURCES = $(wildcard core_ext/*)

.PHONY: help setup browser prometheus valgrind helm demo test lint types bench bench-check bench-fleet bench-startup bench-memory bench-typescript bench-publish bench-profile guard guard-record debug asan chaos package clean

help:
	@grep -E '^# make|^[a-z-]+:.*##' Makefile | sed -E 's/^# //; s/:.*## /\t/; s/^([a-z-]+)\t/make \1\t/' | expand -t 16

setup: $(VENV)/.ready ## virtual environment, dependencies, the native core

$(VENV)/.ready: pyproject.toml setup.py $(CORE_SOURCES)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "lua-fleet needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "This Python cannot make a virtual environment. On Debian or Ubuntu: apt-get install python3-venv python3-dev gcc"; exit 1; }
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

browser: ## Chromium, for the test of the web form (Debian, Ubuntu)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || { \
	  sudo=$$(test "$$(id -u)" = 0 || echo sudo); \
	  $$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends chromium; }

prometheus: ## Prometheus and promtool, for the tests of the metrics (Debian, Ubuntu)
	@command -v promtool >/dev/null || { \
	  sudo=$$(test "$$(id -u)" = 0 || echo sudo); \
	  $$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends prometheus; }

valgrind: ## callgrind, for the counts of instructions (Debian, Ubuntu)
	@command -v valgrind >/dev/null || { \
	  sudo=$$(test "$$(id -u)" = 0 || echo sudo); \
	  $$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends valgrind; }

helm: setup ## Helm and the schemas of custom resources, for the tests of the chart (Linux on x86-64)
	$(BIN)/python tests/helm/fetch_helm.py build/tools
	$(BIN)/python tests/helm/fetch_crds.py build/tools/crds

image: helm ## the steps of the Dockerfile in plain root file systems, and the chart's pods in what they make (Debian, root)
	@command -v debootstrap >/dev/null || { apt-get update -q && apt-get install -qy --no-install-recommends debootstrap; }
	$(BIN)/python tests/helm/build_image.py build/image
	FLEET_IMAGE=build/image $(BIN)/pytest -q tests/proc/test_built_image.py

demo: setup ## an order survives kill -9 of its worker
	@$(BIN)/python examples/orders/demo.py

test: setup ## every test but the slow soaks
	$(BIN)/pytest -n $(JOBS) --dist loadfile -q

lint: setup ## ruff and cython-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check fleet tests benchmarks examples setup.py
	PATH="$(BIN):$$PATH" cython-lint core_ext

types: setup ## mypy, strict
	$(BIN)/mypy

bench: setup ## benchmarks against peers, as a table of ratios
	$(BIN)/python benchmarks/run.py

bench-check: setup ## each benchmark once: do they still work
	$(BIN)/python benchmarks/run.py --passes 1 -k "not 10000 and not end_to_end and not workers" >/dev/null

bench-fleet: setup ## what a second worker process adds
	$(BIN)/python benchmarks/run.py workers

bench-profile: setup ## where workers spend their CPU time (needs perf)
	PYTHONPATH=. $(BIN)/python benchmarks/profile_workers.py

bench-publish: setup ## the last results into docs/benchmarks.md, with plots
	$(BIN)/python benchmarks/publish.py

bench-startup: setup ## from the start of a fleet to its first workflow
	$(BIN)/python benchmarks/startup.py

bench-memory: setup ## what one cached workflow run takes
	$(BIN)/python benchmarks/memory.py

bench-typescript: ## the TypeScript SDK as a further contender (needs Node.js and npm)
	@command -v npm >/dev/null || { echo "npm is not installed: apt-get install nodejs npm"; exit 1; }
	mkdir -p build/bench/typescript
	cp benchmarks/typescript/package.json build/bench/typescript/
	npm install --prefix build/bench/typescript --no-audit --no-fund --silent

guard: setup ## instructions of the native hot paths, against the recorded ones
	PYTHONPATH=. $(BIN)/python benchmarks/guard.py

guard-record: setup ## make the counts of now the recorded ones
	PYTHONPATH=. $(BIN)/python benchmarks/guard.py --record

# The debug builds live in directories of their own, so that `fleet` in the checkout stays the release build.
build/%/site: $(CORE_SOURCES) setup.py $(VENV)/.ready
	FLEET_BUILD=$* $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --upgrade --target $@ .
	@touch $@

debug: build/debug/site ## core tests on a build that counts live objects
	PYTHONPATH=build/debug/site FLEET_EXPECT_BUILD=debug $(BIN)/pytest -q -n 2 tests/core tests/lua

chaos: setup ## a fleet under load, killed, stopped, reloaded and cut off for minutes; prints its seed
	CHAOS_SECONDS=$${CHAOS_SECONDS:-300} $(BIN)/pytest -q -s tests/proc/test_chaos.py

asan: build/asan/site ## core tests under the address sanitizer
	PYTHONPATH=build/asan/site FLEET_EXPECT_BUILD=debug PYTHONMALLOC=malloc ASAN_OPTIONS=detect_leaks=0 \
	  LD_PRELOAD="$$(gcc -print-file-name=libasan.so)" $(BIN)/pytest -q -n 2 -p no:cacheprovider tests/core

package: setup ## wheel and sdist; the wheel works outside the checkout
	rm -rf dist build/package
	$(BIN)/python -m pip install --quiet --disable-pip-version-check build
	PYTHONWARNINGS=ignore $(BIN)/python -m build --outdir dist . > build/package.log || { cat build/package.log; exit 1; }
	$(PYTHON) -m venv build/package
	build/package/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl
	cd / && $(CURDIR)/build/package/bin/fleet check $(CURDIR)/examples/orders
	cd / && $(CURDIR)/build/package/bin/fleet run app:saga_workflow --embedded --app $(CURDIR)/examples/orders \
	  '{"items":["book"],"payment":{"amount":5,"customer":"c","order_id":"p1"},"shipping":{"order_id":"p1","address":"here"}}'

clean: ## everything that a build made
	rm -rf build dist *.egg-info $(VENV)/.ready fleet/_core*.so
