"""Ctrl-C as the terminal sends it, and the progress bar as a terminal and a notebook show it."""

import os
import pty
import signal
import subprocess
import sys
import types

import pytest

import qdq._progress as progress
from conftest import network
from tools import build_dir

LOOP = """
import sys, numpy as np, qdq
def batches():
    i = 0
    while True:
        i += 1
        if i == 3:
            print("running", flush=True)
        yield np.zeros((2, 1, 28, 28), np.float32)
program = qdq.load({network!r})
{work}
qdq.save(quantized, {out!r})
"""
CALIBRATE = """
prepared = qdq.prepare(program, qdq.quantizer_by_name("x86"))
try:
    qdq.calibrate(prepared, batches(), workers={workers})
except KeyboardInterrupt:
    print("stopped", flush=True)
    print(qdq.calibrate(prepared, [np.zeros((2, 1, 28, 28), np.float32)]), flush=True)  # goes on afterwards
    raise
"""
QUANTIZE = """
quantized = qdq.quantize(program, "x86", batches(), workers={workers})
"""


def started(code, **streams):
    environment = dict(os.environ, PYTHONPATH=str(build_dir() / "python"))
    return subprocess.Popen([sys.executable, "-W", "ignore", "-c", code], env=environment, **streams)


def end_of(process, timeout=60):
    """What an interrupted process printed."""
    try:
        found, errors = process.communicate(timeout=timeout)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGINT, errors
    assert errors.rstrip().endswith("KeyboardInterrupt")
    return found


@pytest.mark.parametrize("work", [CALIBRATE, QUANTIZE], ids=["calibrate", "quantize"])
@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_stops_it_and_nothing_half_written_stays(work, workers, tmp_path):
    out = tmp_path / "model.int8.pt2"
    work = work.format(workers=workers)
    process = started(
        LOOP.format(network=str(network()), work=work, out=str(out)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGINT)
    found = end_of(process)
    assert list(tmp_path.iterdir()) == []
    if "stopped" in work:
        assert found == "stopped\n1\n"


IMPROVE = """
import numpy as np, os, qdq, signal, threading
batches = [np.random.default_rng(i).random((8, 1, 28, 28), np.float32) for i in range(8)]
program = qdq.load({network!r})
threading.Timer(3, os.kill, (os.getpid(), signal.SIGINT)).start()
while True:
    qdq.quantize(program, "xnnpack", batches, accuracy="best", progress=False)
"""


def test_ctrl_c_stops_the_algorithms_for_accuracy():
    process = started(IMPROVE.format(network=str(network())), stderr=subprocess.PIPE, text=True)
    end_of(process, timeout=120)


CALIBRATE_IN_TORCH = """
import itertools, torch
from qdq.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from qdq.pt2e.quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config
x = torch.randn(2, 3, 64, 64)
exported = torch.export.export(torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU()).eval(), (x,)).module()
prepared = prepare_pt2e(exported, XNNPACKQuantizer().set_global(get_symmetric_quantization_config()))
try:
    for i in itertools.count():
        prepared(x)
        if i == 3:
            print("running", flush=True)
except KeyboardInterrupt:
    print("stopped", flush=True)
    prepared(x)  # goes on afterwards
    print(convert_pt2e(prepared)(x).isfinite().all().item(), flush=True)
    raise
"""


def test_ctrl_c_stops_a_calibration_in_torch():
    pytest.importorskip("torch")
    process = started(CALIBRATE_IN_TORCH, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "running\n"
    process.send_signal(signal.SIGINT)
    try:
        found, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode != 0, errors
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert found == "stopped\nTrue\n"


OBSERVE_AND_BE_INTERRUPTED = """
import os, random, signal, threading, time, torch
from qdq.pt2e.observer import MinMaxObserver
observer, x = MinMaxObserver(), torch.zeros(8)
swallowed = 0
for turn in range(300):
    timer = threading.Timer(random.uniform(0.001, 0.005), lambda: os.kill(os.getpid(), signal.SIGINT))
    give_up = time.monotonic() + 5
    try:
        timer.start()
        while time.monotonic() < give_up:
            observer(x)
        swallowed += 1
    except KeyboardInterrupt:
        timer.join()
print(swallowed)
"""


def test_no_ctrl_c_is_lost_while_tensors_cross():
    pytest.importorskip("torch")
    process = started(OBSERVE_AND_BE_INTERRUPTED, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    found, errors = process.communicate(timeout=300)
    assert (found, process.returncode) == ("0\n", 0), errors


def test_a_terminal_shows_how_far_it_is():
    code = f"""
import time, numpy as np, qdq
import qdq._progress as progress
progress._QUIET_SECONDS = progress._REFRESH_SECONDS = 0.0
prepared = qdq.prepare(qdq.load({str(network())!r}), qdq.quantizer_by_name("x86"))
qdq.calibrate(prepared, [np.zeros((2, 1, 28, 28), np.float32)] * 4, progress=True)
"""
    ours, theirs = pty.openpty()
    process = started(code, stderr=theirs)
    assert process.wait(timeout=60) == 0
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    lines = shown.split("\r")
    assert any(line.startswith("calibrate  [#####---------------]  1 / 4") for line in lines)
    assert any(line.startswith("calibrate  [####################]  4 / 4") for line in lines)
    assert lines[-2].strip() == "" and lines[-1] == ""  # the line is cleared at the end


def test_a_pipe_shows_nothing():
    code = f"""
import numpy as np, qdq
import qdq._progress as progress
progress._QUIET_SECONDS = progress._REFRESH_SECONDS = 0.0
prepared = qdq.prepare(qdq.load({str(network())!r}), qdq.quantizer_by_name("x86"))
qdq.calibrate(prepared, [np.zeros((2, 1, 28, 28), np.float32)] * 4, progress=True)
"""
    process = started(code, stderr=subprocess.PIPE, text=True)
    assert process.communicate(timeout=60)[1] == ""


class Stream:
    def __init__(self):
        self.text = ""

    def isatty(self):
        return False

    def write(self, text):
        self.text += text

    def flush(self):
        pass


@pytest.mark.parametrize("shell, shows", [("ZMQInteractiveShell", True), ("TerminalInteractiveShell", False)])
def test_a_notebook_shows_how_far_it_is(monkeypatch, shell, shows):
    monkeypatch.setattr(progress, "_QUIET_SECONDS", 0.0)
    monkeypatch.setattr(progress, "_REFRESH_SECONDS", 0.0)
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: type(shell, (), {})()
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    stream = Stream()
    with progress.ProgressBar("calibrate", 8, stream) as bar:
        bar.show(2)
    assert ("calibrate  [#####---------------]  2 / 8" in stream.text) == shows
