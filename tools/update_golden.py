#!/usr/bin/env python3
"""Rewrites the expectations of tests/golden/**/*.graph with what the passes give now. Review the diff before you commit.

usage: tools/update_golden.py [build directory, default build/dev]
"""
import os
import pathlib
import subprocess
import sys


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    build = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "build" / "dev"
    binary = build / "tests" / "golden_tests"
    if not binary.exists():
        sys.exit(f"{binary} does not exist: build the target golden_tests first")
    run = subprocess.run([binary, "--gtest_brief=1"], env={**os.environ, "QDQ_UPDATE_GOLDEN": "1"}, check=False)
    subprocess.run(["git", "-C", root, "diff", "--stat", "--", "tests/golden"], check=False)
    sys.exit(run.returncode)


if __name__ == "__main__":
    main()
