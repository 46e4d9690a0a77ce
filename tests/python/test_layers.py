"""The borders between the folders of src/."""

import sys

from conftest import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import check_layers  # noqa: E402


def test_no_include_crosses_a_border():
    assert list(check_layers.violations(ROOT / "src")) == []


def test_the_check_sees_a_crossing(tmp_path):
    (tmp_path / "graph").mkdir()
    (tmp_path / "graph" / "node.cc").write_text('#include "passes/duplicate_dq.h"\n#include "base/checked.h"\n')
    (tmp_path / "lower").mkdir()
    (tmp_path / "lower" / "plan.cc").write_text('#include <dnnl.hpp>\n')
    assert list(check_layers.violations(tmp_path)) == [
        "src/graph/node.cc includes passes/duplicate_dq.h: graph/ may not include passes/",
        "src/lower/plan.cc includes dnnl.hpp: only runtime/onednn/ may include oneDNN",
    ]
