"""PyTorch's own tests of duplicated dequantizes, their imports pointed at qdq.pt2e."""

import os
import pathlib
import re
import unittest

import pytest

from tools import ROOT


SEEDS = pathlib.Path(os.environ.get("QDQ_SHARED", ROOT.parent / "shared")) / "seeds"
PREFIXES = {
    "from torch._export import capture_pre_autograd_graph": "from qdq.pt2e.export_utils import capture_pre_autograd_graph",
    "from torch.ao.quantization.": "from qdq.pt2e.",
}


def code_of(text):
    (code,) = re.findall(r"```py\n(.*?)```", text, re.DOTALL)
    for old, new in PREFIXES.items():
        assert old in code
        code = code.replace(old, new)
    return code


@pytest.mark.parametrize("seed", sorted(SEEDS.glob("*.txt")) or [pytest.param(None, marks=pytest.mark.skip("no seeds"))])
def test_the_seed_passes_as_it_stands(seed):
    module = {"__name__": "seed"}
    exec(compile(code_of(seed.read_text()), seed.name, "exec"), module)
    cases = [kind for kind in module.values() if isinstance(kind, type) and kind.__module__ == "seed"]
    suite = unittest.TestSuite(
        test for kind in cases if issubclass(kind, unittest.TestCase) for test in unittest.defaultTestLoader.loadTestsFromTestCase(kind)
    )
    result = unittest.TestResult()
    suite.run(result)
    assert result.testsRun == 3
    assert not result.failures + result.errors, (result.failures + result.errors)[0][1]
    assert not result.skipped
