"""Quantizes and runs the demo's network with the qdq that is installed. For an environment without torch.

    build/try-wheel/bin/python tools/try_wheel.py
"""

import importlib.util
import pathlib
import sys
import tempfile

import numpy as np
import qdq

DEMO = pathlib.Path(__file__).resolve().parents[1] / "demo"


def main():
    if importlib.util.find_spec("torch") is not None:
        sys.exit("an environment without torch expected: with it, this would not show that qdq needs none")
    images = np.load(DEMO / "images.npz")
    program = qdq.quantize(qdq.load(DEMO / "fmnist_resnet.pt2"), "xnnpack", np.split(images["input"], 8))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "fashion.int8.pt2"
        qdq.save(program, path)
        quantized = qdq.load(path)
        (scores,) = qdq.Session(quantized).run([images["input"]])
    right = np.asarray(scores).argmax(1) == images["label"]
    print(f"qdq {qdq.__version__} from {pathlib.Path(qdq.__file__).parent}: {right.mean():.1%} of {len(right)} images")
    if right.mean() < 0.85:
        sys.exit("at least 85% expected")


if __name__ == "__main__":
    main()
