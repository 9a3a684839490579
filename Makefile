# Everything a contributor runs. `make test` on a clean clone does its own set-up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CLIENTS := $(VENV)/clients
LANGFUSE_5 := $(VENV)/clients-langfuse-5
DEPLOY := $(VENV)/deploy
RELEASE := $(VENV)/release

.PHONY: demo test test-postgres test-drivers test-clients test-deploy test-browser release-check check format bench soak docs clean

demo: $(READY)
	$(BIN)/gitprompt demo

test: $(READY)
	$(BIN)/pytest -n 3 --dist worksteal -m "not soak and not clients and not deploy and not browser and not postgres and not stores"

# What touches the store, on a real PostgreSQL, which comes as a wheel and is started by the tests; the engine
# and what several nodes do also through PgBouncer, and as a role that has no advisory locks and no pg_notify.
test-postgres: $(READY)
	GITPROMPT_TEST_ENGINE=postgres $(BIN)/pytest -n 3 --dist worksteal -m "not soak and not clients and not deploy and not browser and not sqlite and not stores" \
	  tests/contracts tests/drivers/test_postgres.py tests/metrics tests/registry tests/scenarios tests/server tests/store \
	  tests/cli/test_databases.py tests/cli/test_demo.py tests/cli/test_doctor.py tests/test_*.py
	for route in pooled plain; do \
	  GITPROMPT_TEST_ENGINE=postgres GITPROMPT_TEST_POSTGRES=$$route $(BIN)/pytest -n 3 --dist worksteal \
	    -m "not soak and not clients and not deploy and not browser and not sqlite and not stores" tests/contracts/test_engines.py \
	    tests/scenarios/test_nodes.py tests/store/tables tests/test_counting.py || exit 1; \
	done

# Drivers on real object stores, which come as wheels and are started by the tests; and what several nodes do.
test-drivers: $(READY)
	$(BIN)/pytest -n 2 --dist worksteal -m "stores and not soak"

# Programs of others that talk to a server: Prometheus, schemathesis, a generated TypeScript client, and
# instrumentations, which have an environment of their own. Needs prometheus, npm, and the npm registry.
test-clients: $(READY) $(CLIENTS)/.ready $(LANGFUSE_5)/.ready
	$(BIN)/pytest -n 3 --dist worksteal -m "clients and not soak"

# What is in deploy/: the image and the composition are built and run by buildah and podman (as root), Kubernetes'
# manifests are judged by its schemas, the unit by systemd, proxies take pushes and clones. .ci/run names the packages.
test-deploy: $(READY) $(DEPLOY)/.ready
	$(BIN)/pytest -m "deploy and not soak"

# The pages in a real browser: journeys, accessibility, hostile text, what it asks the network for, screenshots.
# Needs Debian's chromium, which .ci/run installs.
test-browser: $(READY)
	$(BIN)/pytest -n 2 --dist worksteal -m "browser and not soak"

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(READY)
	$(BIN)/python docs/generate.py

bench: $(READY)
	$(BIN)/python bench/read.py
	$(BIN)/python bench/render.py
	$(BIN)/python bench/index.py
	$(BIN)/python bench/push.py
	$(BIN)/python bench/validate.py
	$(BIN)/python bench/ingest.py
	$(BIN)/python bench/lists.py
	$(BIN)/python bench/publish.py
	$(BIN)/python bench/mixed.py
	$(BIN)/python bench/metrics.py
	$(BIN)/python bench/migrate.py
	$(BIN)/python bench/ui.py

soak: $(READY)
	$(BIN)/pytest -m soak

# Builds what is committed, twice, installs it, lists what comes with it: .ci/release.py says what else. Ends in dist/.
release-check: $(RELEASE)/.ready
	$(RELEASE)/bin/python .ci/release.py

$(CLIENTS)/.ready: tests/clients/requirements.txt $(READY)
	$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/pip install --quiet --requirement tests/clients/requirements.txt
	touch $(CLIENTS)/.ready

$(LANGFUSE_5)/.ready: tests/clients/requirements-langfuse-5.txt $(READY)
	$(PYTHON) -m venv $(LANGFUSE_5)
	$(LANGFUSE_5)/bin/pip install --quiet --requirement tests/clients/requirements-langfuse-5.txt
	touch $(LANGFUSE_5)/.ready

$(DEPLOY)/.ready: tests/deploy/requirements.txt $(READY)
	$(PYTHON) -m venv $(DEPLOY)
	$(DEPLOY)/bin/pip install --quiet --requirement tests/deploy/requirements.txt
	touch $(DEPLOY)/.ready

$(RELEASE)/.ready: .ci/release-requirements.txt
	$(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/pip install --quiet --requirement .ci/release-requirements.txt
	touch $(RELEASE)/.ready

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(READY)

clean:
	rm -rf $(VENV) dist build
