"""The documents say what the code does."""

import importlib
import importlib.util
import re

import pytest

from tools import ROOT, tool


def load_tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gen_op_table = load_tool("gen_op_table")
gen_python_api = load_tool("gen_python_api")
gen_onnx_table = load_tool("gen_onnx_table")

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "src" / "README.md"])


def test_the_op_table_is_current():
    expected = gen_op_table.generate(tool("run_program"))
    assert gen_op_table.DOCUMENT.read_text() == expected, "stale: run tools/gen_op_table.py"


def test_the_page_of_the_python_api_is_current():
    assert gen_python_api.DOCUMENT.read_text() == gen_python_api.generate(), "stale: run tools/gen_python_api.py"


@pytest.mark.parametrize("module", ["qdq", "qdq.pt2e", "qdq.pt2e.observer", "qdq.pt2e.quantizer", "qdq.pt2e.fake_quantize"])
def test_the_page_of_the_python_api_has_every_public_name(module):
    section = gen_python_api.DOCUMENT.read_text().split(f"\n## {module}\n")[1].split("\n## ")[0]
    public = importlib.import_module(module).__all__
    modules = {"export_utils", "graph_utils", "observer", "quantizer", "utils", "typing"}  # they have sections of their own
    assert [name for name in public if name not in modules and not re.search(rf"\b{name}\b", section)] == []


def test_the_onnx_tables_are_current():
    expected = gen_onnx_table.generate(tool("run_program"))
    assert gen_onnx_table.DOCUMENT.read_text() == expected, "stale: run tools/gen_onnx_table.py"


def test_the_op_table_finds_every_row_of_the_kernel_tables():
    rows = 0
    for file in (ROOT / "src" / "lower").glob("*.cc"):
        for body in re.findall(r"KernelRow kRows\[\] = \{(.*?)\n?\};", file.read_text(), re.DOTALL):
            rows += body.count('"') // 2
    assert len(gen_op_table.fast_targets()) == rows


def test_an_in_place_op_counts_as_its_functional_form():
    text = gen_op_table.table(["aten.relu_.default", "aten.add.Tensor", "aten.add.out"], {"aten.add.Tensor"})
    assert "| relu_ | default |  |" in text
    assert "| add | Tensor, out | Tensor |" in text
    text = gen_op_table.table(["aten.relu.default", "aten.relu_.default"], {"aten.relu.default"})
    assert "| relu_ | default | yes |" in text


def test_a_fast_kernel_needs_a_reference_kernel():
    with pytest.raises(ValueError, match=r"aten\.relu\.default"):
        gen_op_table.table([], {"aten.relu.default"})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", document.read_text()):
        assert "://" in target or (document.parent / target).exists(), target


def test_every_document_is_linked_from_the_readme():
    readme = (ROOT / "README.md").read_text()
    missing = [path.name for path in (ROOT / "docs").glob("*.md") if f"(docs/{path.name})" not in readme]
    assert not missing


def test_the_quantizer_in_the_guide_is_the_example():
    guide = (ROOT / "docs" / "quantization.md").read_text()
    (code,) = re.findall(r"```cpp\n(.*?)```", guide, re.DOTALL)
    assert code in (ROOT / "examples" / "cpp" / "custom_quantizer.cc").read_text()
