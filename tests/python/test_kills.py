"""Commands that are killed: what has the output's name is whole, and the next run leaves nothing beside it."""

import json
import random
import subprocess
import time
from pathlib import Path

import pytest

from conftest import IMAGES, network

COMMANDS = {
    "quantize": ["quantize", network(), "--calibrate", IMAGES, "-o", "out.pt2"],
    "calibrate": ["calibrate", network(), "--data", IMAGES, "--checkpoint-every", "8", "-o", "out.safetensors"],
    "convert": ["convert", network(), "--statistics", "in.safetensors", "-o", "out.pt2"],
    "run_npz": ["run", network(), "--input", IMAGES, "--output", "out.npz"],
    "bench_trace": ["bench", network(), "--runs", 1, "--threads", 1, "--trace", "out.json"],
    "run_npy": ["run", network(), "--input", IMAGES, "--output", "out.npy"],
}
KILLS = 16


def has_temporary_file(folder):
    return any(path.name.endswith(".tmp") for path in folder.iterdir())


def step_names(path):
    return [event["name"] for event in json.loads(path.read_bytes())["traceEvents"]]


def is_whole(output, old, new, content):
    if not output.exists():
        return old is None
    return output.read_bytes() == old or content(output) == new


@pytest.mark.parametrize("name", COMMANDS)
def test_a_kill_leaves_the_old_file_or_the_new_one(qdq, run, tmp_path, name):
    if name == "convert":
        run("calibrate", network(), "--data", IMAGES, "-o", "in.safetensors")
    command = COMMANDS[name]
    started = time.monotonic()
    run(*command)
    seconds = time.monotonic() - started
    output = tmp_path / command[-1]
    # Times differ from run to run: of a trace only the names of its steps are looked at.
    content = step_names if name == "bench_trace" else Path.read_bytes
    new = content(output)
    rng = random.Random(0)
    kills = 0
    for number in range(KILLS):
        old = b"what was there before" if number // 2 % 2 else None
        if old is None:
            output.unlink(missing_ok=True)
        else:
            output.write_bytes(old)
        process = subprocess.Popen([qdq, *map(str, command)], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        # Every other time as soon as there is a temporary file: few random moments would fall into a save.
        stop = time.monotonic() + rng.uniform(0, seconds)
        while process.poll() is None and (number % 2 or time.monotonic() < stop):
            if number % 2 and has_temporary_file(tmp_path):
                break
        process.kill()
        process.communicate()
        kills += process.returncode != 0
        assert is_whole(output, old, new, content)
    assert kills > KILLS // 4
    run(*command)
    assert content(output) == new
    expected = {output.name, "in.safetensors"} if name == "convert" else {output.name}
    assert {path.name for path in tmp_path.iterdir()} == expected
