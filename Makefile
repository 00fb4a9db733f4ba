# The daily verbs. `make` alone runs every check.
PYTHON := .venv/bin/python
SETUP := python3 tools/setup.py

.PHONY: check setup format lint type test slow docs pictures build constraints clean

check:
	./check

setup:
	$(SETUP) dev,docs,bench

format: setup
	$(PYTHON) -m ruff check --fix --exit-zero .
	$(PYTHON) -m ruff format .

lint: setup
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

type: setup
	$(PYTHON) -m pyright

test: setup
	$(PYTHON) -m pytest -q -n 2

slow:
	./check --slow

docs: setup
	rm -rf docs/api
	$(PYTHON) -m sphinx -W --keep-going -q -b html docs build/docs

# The pictures of the documentation, and the figures beside them: about five minutes.
pictures: setup
	$(PYTHON) tools/make_pictures.py

build: setup
	rm -rf build/wheel && $(PYTHON) -m pip wheel --quiet --no-deps -w build/wheel .
	$(PYTHON) tools/smoke_wheel.py build/wheel/*.whl

constraints:
	python3 tools/freeze.py

clean:
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
