"""The examples run, and do what they tell."""

import runpy

from tools import ROOT


def test_the_notebook_on_a_trained_network(capsys):
    names = runpy.run_path(str(ROOT / "examples" / "python" / "quantize_fashion.py"))
    assert names["accuracy"](names["quantized"]) >= names["accuracy"](names["network"]) - 0.05
    assert names["quantized_noise"] > 20
    assert abs(names["int8_noise"] - names["quantized_noise"]) < 3
    assert names["losses"][-1] < 0.7 * names["losses"][0]
    assert names["accuracy"](names["trained"]) >= names["accuracy"](names["network"]) - 0.05
    assert min(names["noise"].values()) > 10 and len(names["noise"]) > 5
    assert "ops" in capsys.readouterr().out
