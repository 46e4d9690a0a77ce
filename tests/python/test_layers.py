"""tools/check_layers.py finds what it should."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("check_layers", ROOT / "tools" / "check_layers.py")
check_layers = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(check_layers)


def complaints(path, line):
    return check_layers.check_files({path: line})


def test_the_repository_keeps_the_order():
    assert check_layers.check_tree(ROOT) == []


def test_data_does_not_flow_back():
    assert complaints("src/graph/verify.cc", '#include "ops/schema.h"') == [
        "src/graph/verify.cc:1: ops/schema.h: graph must not include ops"
    ]
    assert complaints("src/ops/schema.cc", '#include "graph/verify.h"') == []


def test_runtime_never_sees_a_graph():
    assert complaints("src/runtime/plan.cc", '#include "qdq/graph.h"') != []
    assert complaints("src/runtime/plan.cc", '#include "qdq/tensor.h"') == []


def test_doors_see_promised_headers_only():
    assert complaints("src/cli/run.cc", '#include "qdq/program.h"') == []
    assert complaints("src/cli/run.cc", '#include "cli/table.h"') == []
    assert complaints("src/cli/run.cc", '#include "graph/verify.h"') != []
    assert complaints("python/bindings/module.cc", '#include "graph/verify.h"') != []


def test_onednn_stays_in_its_folder():
    assert complaints("src/runtime/onednn/conv.cc", "#include <oneapi/dnnl/dnnl.hpp>") == []
    assert complaints("src/lower/conv.cc", "#include <oneapi/dnnl/dnnl.hpp>") != []
    through_a_header = {
        "src/runtime/onednn/primitive.h": "#include <dnnl.hpp>",
        "src/runtime/onednn/conv.h": '#include "runtime/onednn/primitive.h"',
        "src/lower/conv.cc": '#include "runtime/onednn/conv.h"',
    }
    assert check_layers.check_files(through_a_header) == [
        "src/lower/conv.cc: runtime/onednn/conv.h: brings oneDNN's types out of src/runtime/onednn/"
    ]


def test_a_new_folder_or_header_needs_a_row():
    assert complaints("src/fresh/a.cc", '#include "base/checked.h"') != []
    assert complaints("src/graph/a.cc", '#include "qdq/fresh.h"') != []
