"""ONNX files made to do harm, read by the command line within little memory: exit code 3 and a message that names the place."""

import random

import pytest

from tools import ROOT

SEEDS = ROOT / "tests" / "fuzz" / "corpus" / "onnx_reader"

# File -> what its refusal says.
HOSTILE = {
    "external_outside": "its external data '../../etc/passwd' leads out of the model's folder",
    "external_inside": "its external data 'maps' is missing",
    "huge_sizes": "are negative or too large",
    "cycle": "its input 'b' is made by no earlier node",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_model_is_refused(name, refuse, tmp_path):
    (tmp_path / "hostile.onnx").write_bytes((SEEDS / f"{name}.onnx").read_bytes())
    refuse("inspect", "hostile.onnx", says=("hostile.onnx: at byte ", HOSTILE[name]))


def test_a_length_beyond_the_file_is_refused(refuse, tmp_path):
    (tmp_path / "hostile.onnx").write_bytes(b"\x3a" + b"\xff" * 8 + b"\x7f" + b"x" * 64)
    refuse("inspect", "hostile.onnx", says="broken protobuf")


def test_a_million_empty_nodes_are_refused(refuse, tmp_path):
    graph = b"\x0a\x00" * 1_000_000
    length = bytes([len(graph) & 0x7F | 0x80, len(graph) >> 7 & 0x7F | 0x80, len(graph) >> 14 & 0x7F])
    (tmp_path / "hostile.onnx").write_bytes(b"\x42\x02\x10\x15\x3a" + length + graph)
    refuse("inspect", "hostile.onnx", says="a node without operator or output")


@pytest.mark.parametrize("seed", sorted(path.stem for path in SEEDS.glob("*.onnx")))
def test_damaged_models_are_read_or_refused(seed, tmp_path):
    import qdq

    whole = (SEEDS / f"{seed}.onnx").read_bytes()
    generator = random.Random(seed)
    path = tmp_path / "damaged.onnx"
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(generator.choice([1, 1, 2, 4])):
            at = generator.randrange(len(data))
            how = generator.random()
            if how < 0.6:
                data[at] = generator.randrange(256)
            elif how < 0.8:
                del data[at : at + generator.randrange(1, 8)]
            else:
                data[at:at] = bytes(generator.randrange(256) for _ in range(4))
            data = data or bytearray(b"x")
        path.write_bytes(data)
        try:
            str(qdq.load(path))
        except qdq.FormatError:
            pass
