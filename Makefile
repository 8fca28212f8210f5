# make demo   one real STARTTLS session through the daemon, on throw-away certificates
# make test   everything: peers, lint, types, tests against the installed wheel
#
# Both set up all they need. For daily work: make dev, then .venv/bin/pytest tests/postconf

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PYTEST_ARGS ?= -n 3 --dist loadgroup -q

# Coverage of lines in the processes of the tests; MEASURE= switches it off.
PACKAGES = $(shell $(BIN)/python -c 'import sysconfig; print(*(sysconfig.get_path("purelib") + "/" + name \
	for name in ("postconf", "maps", "tlsproxy")), sep=",")')
MEASURE ?= -m slipcover --source $(PACKAGES) --json --out build/coverage.json

# The distribution's Python, which runs beside its Postfix; where it can't make an environment, the usual one.
SYSTEM_PYTHON ?= $(shell /usr/bin/python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && echo /usr/bin/python3 || echo $(PYTHON))
SYSTEM := build/system
BY_SYSTEM := VENV=$(SYSTEM) PYTHON=$(SYSTEM_PYTHON)

SOURCES := pyproject.toml README.md $(shell find postconf maps tlsproxy bin -type f -not -name '*.pyc' 2>/dev/null)

.PHONY: pictures scan-peers bench demo test soak mutation lint types unit system peers upgrade-peers golden dev clean

demo: $(VENV)/.wheel
	$(BIN)/python -P samples/starttls/demo.py

test: peers upgrade-peers lint types unit system

# The tests see the installed wheel, never the checkout.
unit: $(VENV)/.wheel $(VENV)/.dev
	mkdir -p build
	PYTHONSAFEPATH=1 TLSPROXY_TEST_INSTALLED=1 $(BIN)/python $(MEASURE) -m pytest $(PYTEST_ARGS)
	$(if $(MEASURE),$(BIN)/python tools/coverage_report.py build/coverage.json)

# Once more by the distribution's Python, if that is another one: parsers, where releases of Python differ most.
system: peers
	@if [ "$$($(PYTHON) -VV)" = "$$($(SYSTEM_PYTHON) -VV)" ]; then \
	echo "make system: skipped, the distribution has no other Python that can make an environment"; \
	else $(MAKE) $(BY_SYSTEM) unit MEASURE= PYTEST_ARGS="$(PYTEST_ARGS) tests/maps tests/postconf"; fi

# Tests that take minutes: reloads, floods and handshakes in numbers.
soak: peers $(VENV)/.wheel $(VENV)/.dev
	PYTHONSAFEPATH=1 TLSPROXY_TEST_INSTALLED=1 $(BIN)/python -m pytest -m soak -q

# Each line that decides on a certificate is broken on purpose, and a test has to notice. Takes some ten minutes.
mutation: $(VENV)/.dev
	nice $(BIN)/python tools/mutate.py

# The C tlsproxy(8) and ours side by side: needs root and Debian's Postfix (docs/performance.md). That is a build of the
# distribution's, and so is Python: others are often built without optimization.
bench: peers
	$(MAKE) $(BY_SYSTEM) $(SYSTEM)/.wheel $(SYSTEM)/.dev
	$(SYSTEM)/bin/python benchmarks/daemon.py $(BENCH_ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo
	$(BIN)/codespell postconf maps tlsproxy docs samples tools benchmarks *.md
	$(BIN)/python tools/check_prose.py

types: $(VENV)/.wheel $(VENV)/.dev
	$(BIN)/mypy

# Real Postfix and other peers, where that is possible: Debian or a similar system, as root.
peers:
	tests/install-peers

# Debian 13's Postfix below build/, as the new side of upgrades; nothing is installed.
upgrade-peers: peers
	tests/install-upgrade-peers

# The TLS report beside scans of smtpd(8), tlsproxy(8) and the daemon: 250 generated configurations, as root. For other
# scanners: SCAN_ARGS="--tool sslyze=PYTHON --tool testssl=PROGRAM --peer smtpd --peer daemon".
SCAN_ARGS ?= --tool own --count 250
scan-peers: peers $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -W ignore -m check.tls_report.scan_peers $(SCAN_ARGS)

# The pictures of the commands in README.md.
pictures: $(VENV)/.dev $(VENV)/.wheel
	$(BIN)/python tools/make_pictures.py

# Record again the decisions and log lines of Postfix; needs root and the Postfix of the distribution.
golden: $(VENV)/.dev
	$(BIN)/python tests/tlsproxy/tls/client/test_client_matrix.py

# An editable install for work on the code.
dev: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --editable .
	rm -f $(VENV)/.wheel

$(VENV)/.venv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	touch $@

$(VENV)/.dev: $(VENV)/.venv pyproject.toml
	$(BIN)/python -m pip install --quiet --group dev
	touch $@

$(VENV)/.wheel: $(VENV)/.venv $(SOURCES)
	rm -rf build/wheel
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir build/wheel .
	$(BIN)/python -m pip install --quiet build/wheel/*.whl
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps build/wheel/*.whl
	touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
