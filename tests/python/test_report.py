"""The HTML report in a headless Chromium: what a reader sees, sorts and filters."""

import html.parser
import json
import re
import shutil
import subprocess

import pytest

from conftest import IMAGES, network

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
RECIPE = ("--per-channel", "--exclude", "aten.linear.*")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: tools/install_dependencies.sh test")


@pytest.fixture(scope="module")
def report(qdq, tmp_path_factory):
    """Of a quantized network, with errors and histograms; `aten.linear` is left in float."""
    folder = tmp_path_factory.mktemp("report")
    command = [qdq, "quantize", network(), "--calibrate", IMAGES, *RECIPE, "--accuracy", "fast", "-q"]
    subprocess.run([*command, "-o", folder / "q.pt2", "--report", folder / "report.html"], check=True)
    return folder / "report.html"


def data_of(page):
    text = page.read_text()
    return json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.S)[1])


class Rows(html.parser.HTMLParser):
    """The cells of the table of ops, the text of the page, and its elements."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.text, self.tags, self.skipped = [], [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        self.skipped = tag in ("script", "style", "noscript")
        if tag == "tr":
            self.rows.append((attributes, []))
        if tag in ("td", "th") and self.rows:
            self.rows[-1][1].append("")

    def handle_endtag(self, tag):
        self.skipped = False

    def handle_data(self, data):
        if self.skipped:
            return
        self.text.append(data)
        if self.rows and self.rows[-1][1]:
            self.rows[-1][1][-1] += data

    def ops(self):
        return [cells for attributes, cells in self.rows if "data-name" in attributes]


def browse(page, address=""):
    """The page as Chromium has built it, with no network to ask."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
    command += ["--virtual-time-budget=2000", "--dump-dom", f"file://{page}#{address}"]
    return Rows(subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout)


@needs_chromium
def test_every_op_is_a_row_in_the_order_of_the_network(report):
    rows = browse(report).ops()
    assert [row[1] for row in rows] == [op["name"] for op in data_of(report)["ops"]]


@needs_chromium
def test_rows_are_sorted_by_the_noise_that_ops_add(report):
    def added(rows):
        return [float(row[6]) for row in rows if row[6] not in ("", "exact")]

    worst_first = added(browse(report, "sort=own").ops())
    assert len(worst_first) > 20
    assert worst_first == sorted(worst_first)
    best_first = added(browse(report, "sort=own&down=1").ops())
    assert best_first == worst_first[::-1]


@needs_chromium
def test_rows_are_filtered_by_words_and_by_kind(report):
    page = browse(report, "filter=conv2d+xnnpack&status=int8")
    rows = page.ops()
    wanted = [op for op in data_of(report)["ops"] if op["quantized"] and "conv2d" in op["op"] and "xnnpack" in op["rule"]]
    assert len(rows) == len(wanted) > 10
    assert f"{len(rows)} of {len(data_of(report)['ops'])} ops" in page.text
    assert [row[4] for row in browse(report, "status=float&filter=linear").ops()] == ["float"]


@needs_chromium
def test_an_open_op_shows_its_tensors_and_histograms(report):
    name = next(op["name"] for op in data_of(report)["ops"] if op["op"] == "aten.conv2d.default")
    closed, page = browse(report), browse(report, f"open={name}")
    assert not any(attributes.get("class") == "details" for attributes, _ in closed.rows)
    details = [cells for attributes, cells in page.rows if not attributes and len(cells) == 9]
    assert [cells[0] for cells in details[1:]] == ["in", "in", "out"]
    assert details[1][1] == "input"
    captions = [text for text in page.text if "values seen (log scale)" in text]
    assert len(captions) == 2 and captions[0].startswith("input: ")
    assert sum(attributes.get("class") == "bar" for _, attributes in page.tags) > 100


@needs_chromium
def test_what_is_in_float_is_listed_with_the_reason(report):
    page = browse(report)
    assert any("excluded" in text or "exclude" in text for text in page.text)


@needs_chromium
def test_every_measured_op_is_a_point_of_the_plot(report):
    measured = [op for op in data_of(report)["ops"] if op.get("own", {}).get("sqnr_db") is not None]
    points = [attributes for tag, attributes in browse(report).tags if tag == "circle"]
    assert len(points) >= len(measured) > 20


@needs_chromium
def test_names_of_a_model_are_text_and_never_code(report, tmp_path):
    hostile = "<img src=x onerror=\"document.title='hacked'\">"
    text = report.read_text().replace('"rule":"xnnpack.conv_bn_relu"', f'"rule":{json.dumps(hostile)}'.replace("<", "\\u003c"))
    text = text.replace('"module":"', '"module":' + json.dumps(hostile)[:-1].replace("<", "\\u003c"))
    page = tmp_path / "hostile.html"
    page.write_text(text)
    shown = browse(page)
    assert not any(tag == "img" for tag, _ in shown.tags)
    assert any(hostile in cell for row in shown.ops() for cell in row)


def test_a_report_needs_no_network(report):
    text = report.read_text()
    assert "default-src 'none'" in text
    assert not re.search(r'(src|href)="', text)
    assert "http" not in re.sub(r"http://www\.w3\.org/2000/svg", "", re.sub(r'<script id="data".*?</script>', "", text, flags=re.S)).replace("http-equiv", "")


def test_the_report_of_two_files_is_that_of_quantize(qdq, run, report, tmp_path):
    run("calibrate", network(), "--data", IMAGES, *RECIPE, "-q", "-o", "s.safetensors")
    run("report", network(), report.parent / "q.pt2", "--input", IMAGES, "--statistics", "s.safetensors", "-q", "-o", "r.html")
    assert data_of(tmp_path / "r.html") == data_of(report)


def test_without_data_the_report_says_how_to_get_the_errors(run, report, tmp_path):
    done = run("report", network(), report.parent / "q.pt2", "-o", "r.html")
    assert re.match(r"r\.html: \d+ of \d+ ops are quantized\n", done.stdout)
    data = data_of(tmp_path / "r.html")
    assert data["outputs"] == [] and data["observed"] == {}
    assert "total" not in data["ops"][0]


def test_a_report_is_an_html_file(run):
    done = run("report", network(), network(), "-o", "report.txt", code=2)
    assert "expected a name that ends in .html" in done.stderr
