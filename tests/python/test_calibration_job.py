"""Calibration as a job: statistics, resuming after a kill, shards, workers, run as a user runs them."""

import json
import random
import signal
import subprocess
import time

import numpy as np
import pytest
from safetensors import safe_open

from conftest import IMAGES, NETWORKS, network

MIN_MAX = ("--observer", "MinMaxObserver")


def calibrate(run, output, *options, name=None, data=IMAGES):
    return run("calibrate", network(name) if name else network(), "--data", data, "-o", output, *options)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("options", [(), ("--per-channel", "--exclude", "aten.linear.*"), ("--quantizer", "x86")])
def test_calibrate_and_convert_write_what_quantize_writes(run, tmp_path, name, options):
    calibrate(run, "s.safetensors", *options, name=name)
    run("convert", network(name), "--statistics", "s.safetensors", "-o", "two.pt2")
    run("quantize", network(name), "--calibrate", IMAGES, "--accuracy", "fast", *options, "-o", "one.pt2")
    assert (tmp_path / "two.pt2").read_bytes() == (tmp_path / "one.pt2").read_bytes()


def test_the_file_is_a_safetensors_with_what_it_belongs_to(run, tmp_path):
    calibrate(run, "s.safetensors")
    with safe_open(tmp_path / "s.safetensors", "np") as file:
        metadata = file.metadata()
        observers = json.loads(metadata["observers"])
        assert {key.rpartition(".")[0] for key in file.keys()} == {o["targets"][0] for o in observers}
    assert (metadata["format"], metadata["version"]) == ("qdq.statistics", "1")
    assert json.loads(metadata["recipe"])["quantizer"] == "xnnpack"
    assert json.loads(metadata["progress"]) == {"samples": 64, "batches": 8, "is_complete": True, "shards": []}


def test_workers_and_checkpoints_do_not_change_a_byte(run, tmp_path):
    calibrate(run, "one.safetensors")
    for number, options in enumerate([("--workers", 2), ("--workers", 5), ("--checkpoint-every", 8, "--workers", 3)]):
        calibrate(run, f"{number}.safetensors", *options)
        assert (tmp_path / f"{number}.safetensors").read_bytes() == (tmp_path / "one.safetensors").read_bytes()
    assert not list(tmp_path.glob("*.checkpoint"))


def test_a_killed_calibration_goes_on_where_it_was(qdq, run, tmp_path):
    rng = random.Random(0)
    images = np.tile(np.load(IMAGES)["input"], (40, 1, 1, 1))
    np.savez(tmp_path / "many.npz", input=images + np.arange(len(images), dtype=np.float32)[:, None, None, None] / 9999)
    options = ("--executor", "reference", "--samples", 640)
    calibrate(run, "whole.safetensors", *options, data="many.npz")
    command = ["calibrate", network(), "--data", "many.npz", "-o", "s.safetensors", *options, "--checkpoint-every", 8]
    kills = 0
    for _ in range(60):
        process = subprocess.Popen([str(qdq), *map(str, command)], cwd=tmp_path, stderr=subprocess.PIPE)
        try:
            process.wait(timeout=rng.uniform(0.05, 0.8))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    else:
        run(*command)
    assert kills > 0
    assert (tmp_path / "s.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert not (tmp_path / "s.safetensors.checkpoint").exists()


def interrupted(qdq, tmp_path, *options):
    """Starts a calibration, interrupts it after its first checkpoint and returns what it printed."""
    images = np.tile(np.load(IMAGES)["input"], (200, 1, 1, 1))
    np.savez(tmp_path / "many.npz", input=images)
    command = [str(qdq), "calibrate", str(network()), "--data", "many.npz", "-o", "s.safetensors", "--executor",
               "reference", "--checkpoint-every", "8", *options]  # fmt: skip
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "s.safetensors.checkpoint").exists():
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    return printed


def test_an_interruption_saves_a_checkpoint_that_only_the_same_calibration_takes(qdq, run, tmp_path):
    assert "the same command goes on from there" in interrupted(qdq, tmp_path)
    assert not (tmp_path / "s.safetensors").exists()
    (tmp_path / "c.safetensors").write_bytes((tmp_path / "s.safetensors.checkpoint").read_bytes())
    refused = run("convert", network(), "--statistics", "c.safetensors", "-o", "x.pt2", code=1)
    assert "calibration stopped after" in refused.stderr
    done = calibrate(run, "s.safetensors", "--per-channel")
    assert "is of another calibration (the quantizer's options differ): starting from the beginning" in done.stderr
    calibrate(run, "plain.safetensors", "--per-channel")
    assert (tmp_path / "s.safetensors").read_bytes() == (tmp_path / "plain.safetensors").read_bytes()


@pytest.mark.parametrize("observer", ["MinMaxObserver", "MSEObserver"])
def test_shards_add_up_to_the_whole_run(run, tmp_path, observer):
    options = ("--observer", observer)
    calibrate(run, "whole.safetensors", *options)
    parts = [f"part{number}.safetensors" for number in (1, 2, 3)]
    for number, part in enumerate(parts, 1):
        calibrate(run, part, *options, "--shard", f"{number}/3")
    run("merge", *reversed(parts), "-o", "all.safetensors")
    assert (tmp_path / "all.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    done = run("convert", network(), "--statistics", parts[0], "-o", "part.pt2")
    assert "has seen the shards 1/3 only" in done.stderr


def test_statistics_that_do_not_fit_are_refused_with_the_reason(run):
    calibrate(run, "a.safetensors", "--shard", "1/2")
    calibrate(run, "b.safetensors", "--shard", "2/2")
    refused = run("merge", "a.safetensors", "b.safetensors", "-o", "ab.safetensors", code=1)
    assert "observers of kind HistogramObserver" in refused.stderr
    assert "--observer MinMaxObserver" in refused.stderr
    calibrate(run, "c.safetensors", "--shard", "2/2", *MIN_MAX)
    refused = run("merge", "a.safetensors", "c.safetensors", "-o", "ac.safetensors", code=1)
    assert "a.safetensors and c.safetensors cannot be merged: quantizer or options differ" in refused.stderr
    other = next(name for name in NETWORKS if network(name) != network())
    refused = run("convert", network(other), "--statistics", "a.safetensors", "-o", "x.pt2", code=1)
    assert "a.safetensors belongs to another program" in refused.stderr
    refused = run("calibrate", network(), "--data", IMAGES, "--shard", "3/2", "-o", "x.safetensors", code=2)
    assert "a shard such as 1/4 expected, found '3/2'" in refused.stderr
    refused = run("calibrate", network(), "--data", IMAGES, "--checkpoint-every", "1h", "-o", "x.safetensors", code=2)
    assert "500, 30s or 10m" in refused.stderr
    refused = run("convert", network(), "--statistics", IMAGES, "-o", "x.pt2", code=3)
    assert "images.npz" in refused.stderr


def test_a_memory_limit_is_kept_or_the_run_stops_and_writes_nothing(run, tmp_path):
    calibrate(run, "free.safetensors")
    calibrate(run, "limited.safetensors", "--workers", 3, "--max-memory", "8GB")
    assert (tmp_path / "free.safetensors").read_bytes() == (tmp_path / "limited.safetensors").read_bytes()
    for command, output in [(("calibrate", network(), "--data"), "none.safetensors"),
                            (("quantize", network(), "--calibrate"), "none.pt2")]:  # fmt: skip
        refused = run(*command, IMAGES, "-o", output, "--max-memory", "1MB", code=1)
        assert "are in use before the first batch, 1.0 MB are allowed: allow more, or run smaller" in refused.stderr
        assert not list(tmp_path.glob("none*"))
    refused = run("calibrate", network(), "--data", IMAGES, "-o", "none.safetensors", "--max-memory", "much", code=2)
    assert "--max-memory" in refused.stderr


@pytest.mark.parametrize("workers", [1, 3])
def test_a_dry_run_says_what_it_would_cost_and_writes_nothing(run, tmp_path, workers):
    options = ("--workers", workers, "--dry-run", "--json")
    said = json.loads(calibrate(run, "s.safetensors", *options).stdout)
    assert (said["samples"], said["batches"], said["measured_batches"]) == (64, 8, 2 * workers)
    assert said["files"] == ["s.safetensors", "s.safetensors.checkpoint"]
    memory = said["memory"]
    assert memory["batch"] == 8 * 28 * 28 * 4
    assert memory["weights"] > 100_000 and memory["observers"] > 0
    assert memory["peak"] > memory["weights"] + memory["executors"]
    assert said["seconds"] > 0
    shown = run("quantize", network(), "--calibrate", IMAGES, "-o", "q.pt2", "--workers", workers, "--dry-run").stdout
    assert "64 samples in 8 batches would take about" in shown and "would write q.pt2" in shown
    shown = run("quantize", network(), "--weight-only", "int8", "-o", "q.pt2", "--dry-run").stdout
    assert "no data would be read" in shown
    refused = run("calibrate", network(), "--data", "-", "-o", "s.safetensors", "--dry-run", code=2)
    assert "--dry-run cannot look ahead on standard input" in refused.stderr
    assert not list(tmp_path.iterdir())
