"""Files made to do harm, each read by the command line: exit code 3, a message that names the place, little memory and time."""

import json
import struct
import subprocess
import zipfile
import zlib

import numpy as np
import pytest

from conftest import IMAGES, network
from tools import ROOT

COMPAT = ROOT / "tests" / "compat" / "pt2" / "torch-2.13"
MAX64 = 0xFFFFFFFFFFFFFFFF


# ------------------------------------------------------------------------------------------------ containers


def local(name=b"a/x", data=b"", size=None, packed=None, method=0, extra=b"", crc=None):
    size = len(data) if size is None else size
    packed = len(data) if packed is None else packed
    crc = zlib.crc32(data) if crc is None else crc
    return struct.pack("<IHHHIIIIHH", 0x04034B50, 45, 0, method, 0, crc, packed, size, len(name), len(extra)) + (
        name + extra + data
    )


def central(name=b"a/x", data=b"", size=None, packed=None, method=0, extra=b"", crc=None, offset=0):
    size = len(data) if size is None else size
    packed = len(data) if packed is None else packed
    crc = zlib.crc32(data) if crc is None else crc
    head = (0x02014B50, 45, 45, 0, method, 0, crc, packed, size, len(name), len(extra), 0, 0, 0, 0, offset)
    return struct.pack("<IHHHHIIIIHHHHHII", *head) + name + extra


def end(count, size, offset):
    return struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, size, offset, 0)


def archive(*entries):
    """Entries as (what both records say, what the local record says instead, what the directory says instead)."""
    body = b""
    directory = b""
    for both, here, there in entries:
        directory += central(**{"offset": len(body), **both, **there})
        body += local(**{**both, **here})
    return body + directory + end(len(entries), len(directory), len(body))


def zip64(*values):
    return struct.pack("<HH", 1, 8 * len(values)) + b"".join(struct.pack("<Q", v) for v in values)


def zip64_directory(count=1, size=None, offset=None, at=None):
    body = local()
    directory = central()
    size = len(directory) if size is None else size
    offset = len(body) if offset is None else offset
    end64 = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, size, offset)
    at = len(body) + len(directory) if at is None else at
    locator = struct.pack("<IIQI", 0x07064B50, 0, at, 1)
    return body + directory + end64 + locator + end(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)


def overlapping():
    inner = local(name=b"b", data=b"inside")
    outer = local(name=b"a", data=inner)
    directory = central(name=b"a", data=inner) + central(name=b"b", data=b"inside", offset=31)
    return outer + directory + end(2, len(directory), len(outer))


def quoted():
    """Many entries that share one body, the way a zip bomb multiplies it."""
    body = local(data=b"x" * 1000)
    directory = b"".join(central(name=b"a/x", data=b"x" * 1000) for _ in range(1000))
    return body + directory + end(1000, len(directory), len(body))


BIG = {"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}
CONTAINERS = {
    "empty": (b"", "found a file of 0 bytes"),
    "not_a_zip": (b"\x00" * 4096, "no end-of-directory record"),
    "sizes_of_64_bits": (archive(({**BIG, "extra": zip64(MAX64, MAX64)}, {}, {})), "entry 'a/x' of 18446744073709551615"),
    "sizes_that_wrap": (archive(({**BIG, "extra": zip64(MAX64 - 20, MAX64 - 20)}, {}, {})), "reaches into the directory"),
    "offset_of_64_bits": (
        archive(({}, {}, {"offset": 0xFFFFFFFF, "extra": zip64(MAX64)})),
        "expected its local header here",
    ),
    "zip64_field_missing": (archive((BIG, {}, {})), "the zip64 field is missing"),
    "entry_beyond_the_file": (archive(({}, {}, {"offset": 0x7FFFFFFF})), "expected its local header here"),
    "data_beyond_the_file": (archive(({"size": 1 << 30, "packed": 1 << 30}, {}, {})), "reaches into the directory"),
    "many_entries_declared": (zip64_directory(count=1 << 40), "cannot hold 1099511627776 entries"),
    "directory_outside": (zip64_directory(offset=MAX64 - 3), "the directory"),
    "directory_of_64_bits": (zip64_directory(size=MAX64), "the directory"),
    "zip64_end_outside": (zip64_directory(at=MAX64 - 8), "expected a zip64 end record"),
    "overlap": (overlapping(), "entry 'a' overlaps the next one"),
    "shared_body": (quoted(), "'a/x'"),
    "same_name_twice": (archive(({}, {}, {}), ({}, {}, {})), "a second entry has the name 'a/x'"),
    "two_names": (archive(({}, {"name": b"a/y"}, {})), "its local header says 'a/y'"),
    "encrypted_method": (archive(({"method": 99}, {}, {})), "found 99"),
    "absolute": (archive(({"name": b"/etc/passwd"}, {}, {})), "entry '/etc/passwd': the name"),
    "parent": (archive(({"name": b"a/../../x"}, {}, {})), "entry 'a/../../x': the name"),
    "nul": (archive(({"name": b"a\0b"}, {}, {})), "entry 'a?b': the name"),
    "backslash": (archive(({"name": b"..\\x"}, {}, {})), "entry '..\\x': the name"),
    "drive": (archive(({"name": b"c:x"}, {}, {})), "entry 'c:x': the name"),
    "escape_sequence": (archive(({"name": b"\x1b[31m"}, {}, {})), "the name"),
}


@pytest.mark.parametrize("kind", ["pt2", "npz"])
@pytest.mark.parametrize("name", CONTAINERS)
def test_archives_that_lie(refuse, tmp_path, name, kind):
    data, says = CONTAINERS[name]
    (tmp_path / f"hostile.{kind}").write_bytes(data)
    if kind == "pt2":
        refuse("inspect", "hostile.pt2", says=("hostile.pt2 at byte ", says))
    else:
        refuse("run", network(), "--input", "hostile.npz", "--output", "y.npy", says=("hostile.npz at byte ", says))


def deflated(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()




def test_a_compressed_entry_cannot_ask_for_more_than_deflate_gives(refuse, tmp_path):
    packed = deflated(bytes(1 << 20))
    entry = {"name": b"x.npy", "data": packed, "size": 0x7FFFFFF0, "method": 8, "crc": 0}
    (tmp_path / "x.npz").write_bytes(archive((entry, {}, {})))
    refuse("run", network(), "--input", "x.npz", "--output", "y.npy", says=("x.npz, entry 'x.npy'", "cannot expand to"))


def test_a_compressed_entry_stops_at_its_declared_size(refuse, tmp_path):
    one_image = npy(described("(1, 1, 28, 28)"), bytes(28 * 28 * 4))
    packed = deflated(one_image + bytes(1 << 28))
    entry = {"name": b"x.npy", "data": packed, "size": len(one_image), "method": 8, "crc": zlib.crc32(one_image)}
    (tmp_path / "x.npz").write_bytes(archive((entry, {}, {})))
    refuse("run", network(), "--input", "x.npz", "--output", "y.npy", says=("entry 'x.npy'", "the compressed data is damaged"))


def test_models_are_not_decompressed(refuse, tmp_path):
    with zipfile.ZipFile(COMPAT / "conv_net.pt2") as good, zipfile.ZipFile(tmp_path / "m.pt2", "w") as packed:
        for info in good.infolist():
            packed.writestr(info.filename, good.read(info), zipfile.ZIP_DEFLATED)
    refuse("inspect", "m.pt2", says=("m.pt2, entry 'conv_net/", "expected a stored entry"))


# ---------------------------------------------------------------------------------------------------- models


@pytest.fixture
def edited(tmp_path):
    """A copy of a compat file, one entry replaced: edit(text) gives the new text, or None to leave the entry out."""

    def edited(edit, suffix="models/model.json", name="conv_net"):
        with zipfile.ZipFile(COMPAT / f"{name}.pt2") as good, zipfile.ZipFile(tmp_path / "m.pt2", "w") as bad:
            for info in good.infolist():
                data = good.read(info)
                if info.filename.endswith(suffix):
                    data = edit(data.decode("latin-1"))
                if data is not None:
                    bad.writestr(info.filename, data)
        return "m.pt2"

    return edited


def change(fn):
    """An edit of the parsed JSON in place."""

    def edit(text):
        parsed = json.loads(text)
        fn(parsed)
        return json.dumps(parsed)

    return edit


def graph_of(model):
    return model["graph_module"]["graph"]


def put(container, key, value):
    container[key] = value


def argument(model, node, index, value):
    graph_of(model)["nodes"][node]["inputs"][index]["arg"] = value


def nested_subgraph(depth):
    body = {"inputs": [], "outputs": [{"as_none": True}], "nodes": []}
    for _ in range(depth):
        call = {"target": "torch.ops.higher_order.cond", "outputs": [], "metadata": {}}
        call["inputs"] = [{"name": "f", "arg": {"as_graph": {"name": "g", "graph": body}}, "kind": 1}]
        body = {"inputs": [], "outputs": [{"as_none": True}], "nodes": [call]}
    return {"as_graph": {"name": "g", "graph": body}}


MODEL = "m.pt2, entry 'conv_net/models/model.json' at byte "
DEEP = 100_000
MODELS = {
    "deep_arrays": (lambda text: "[" * DEEP + "]" * DEEP, "nested too deeply"),
    "deep_objects": (lambda text: '{"a":' * DEEP + "0" + "}" * DEEP, "nested too deeply"),
    "unclosed": (lambda text: "[" * DEEP, "nested too deeply"),
    "empty": (lambda text: "", "expected a value"),
    "no_text": (lambda text: b"\xff\xfe\x00" * 100, "JSON syntax error at byte "),
    "huge_number": (lambda text: text.replace('"as_int": 4', '"as_int": ' + "9" * 1000), "JSON syntax error at byte "),
    "huge_exponent": (lambda text: text.replace("1e-05", "1e99999"), "JSON syntax error at byte "),
    "number_of_65_bits": (
        change(lambda m: put(graph_of(m)["tensor_values"]["relu"]["sizes"], 0, {"as_int": 1 << 63})),
        "expected a 64-bit integer, found 9223372036854775808",
    ),
    "negative_size": (
        change(lambda m: put(graph_of(m)["tensor_values"]["p_conv_bias"]["sizes"], 0, {"as_int": -4})),
        "contradicts the stored one, float32 [4]",
    ),
    "dangling": (change(lambda m: argument(m, 2, 0, {"as_tensor": {"name": "nowhere"}})), "'nowhere' is not defined"),
    "cycle": (change(lambda m: argument(m, 0, 0, {"as_tensor": {"name": "relu"}})), "'relu' is not defined before"),
    "itself": (change(lambda m: argument(m, 2, 0, {"as_tensor": {"name": "relu"}})), "'relu' is not defined before"),
    "same_name_twice": (
        change(lambda m: put(graph_of(m)["nodes"][2], "outputs", [{"as_tensor": {"name": "conv2d"}}])),
        "a second node has the name 'conv2d'",
    ),
    "no_outputs": (change(lambda m: put(graph_of(m), "outputs", [])), "fewer outputs"),
    "no_inputs": (change(lambda m: put(graph_of(m), "inputs", [])), "fewer inputs"),
    "many_layouts": (
        change(lambda m: put(graph_of(m)["tensor_values"]["relu"], "layout", 1 << 40)),
        "expected the number of a layout",
    ),
    "unknown_dtype": (
        change(lambda m: put(graph_of(m)["tensor_values"]["relu"], "dtype", -1)),
        "expected the number of a dtype, found -1",
    ),
    "subgraphs_in_subgraphs": (change(lambda m: argument(m, 2, 0, nested_subgraph(90))), "nested too deeply"),
    "a_list_for_a_text": (change(lambda m: put(graph_of(m)["nodes"][0], "target", [])), "expected a string"),
    "attribute_of_a_module": (
        change(lambda m: put(graph_of(m)["nodes"][0], "target", "os.system")),
        "expected an operator",
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_models_that_lie(refuse, edited, name):
    edit, says = MODELS[name]
    refuse("inspect", edited(edit), says=(MODEL, says))


def weight(**members):
    return change(lambda config: config["config"]["conv.weight"]["tensor_meta"].update(members))


def ints(*values):
    return [{"as_int": value} for value in values]


WEIGHTS = {
    "too_many_elements": (weight(sizes=ints(1 << 31, 1 << 31, 1 << 31, 1 << 31)), "too many elements"),
    "one_too_many": (weight(sizes=ints(5, 3, 3, 3)), "reaches beyond its storage of 432 bytes"),
    "negative_size": (weight(sizes=ints(-4, 3, 3, 3)), "negative size"),
    "negative_stride": (weight(strides=ints(-27, 9, 3, 1)), "negative stride"),
    "huge_stride": (weight(strides=ints((1 << 63) - 1, 9, 3, 1)), "reaches beyond its storage"),
    "huge_offset": (weight(storage_offset={"as_int": (1 << 63) - 1}), "reaches beyond its storage"),
    "negative_offset": (weight(storage_offset={"as_int": -1}), "reaches beyond its storage"),
    "wider_dtype": (weight(dtype=8), "reaches beyond its storage"),
    "fewer_strides": (weight(strides=ints(1)), "4 sizes but 1 strides"),
    "sparse": (weight(layout=1), "expected a strided tensor"),
    "symbolic": (weight(sizes=[{"as_expr": {"expr_str": "s0", "hint": None}}] + ints(3, 3, 3)), "expected a number"),
    "pickle": (change(lambda c: c["config"]["conv.weight"].update(use_pickle=True)), "never opened"),
    "absent": (change(lambda c: c["config"].pop("conv.weight")), "expected a member 'conv.weight'"),
    "absent_entry": (change(lambda c: c["config"]["conv.weight"].update(path_name="weight_99")), "which is absent"),
    "path": (change(lambda c: c["config"]["conv.weight"].update(path_name="../../../../etc/passwd")), "which is absent"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_lie(refuse, edited, name):
    edit, says = WEIGHTS[name]
    refuse("inspect", edited(edit, suffix="weights_config.json"), says=("m.pt2, entry 'conv_net/data/weights/", says))


@pytest.mark.parametrize("entry", ["models/model.json", "weights_config.json", "weights/weight_0", "archive_format"])
def test_entries_that_are_missing(refuse, edited, entry):
    refuse("inspect", edited(lambda text: None, suffix=entry), says=("m.pt2", "entry '"))


@pytest.mark.parametrize("opening", ["(", "Mul(", "Add(s0, ", "-", "Symbol('"])
def test_deep_expressions_of_sizes_are_carried_as_text(run, edited, tmp_path, opening):
    expression = {"as_expr": {"expr_str": opening * DEEP + "s0" + ")" * DEEP, "hint": None}}
    name = edited(change(lambda m: put(graph_of(m)["tensor_values"]["relu"]["sizes"], 0, expression)))
    run("inspect", name, "--graph")
    run("inspect", name)


# --------------------------------------------------------------------------------------------------- tensors


def npy(header, data=b"", length=None, version=1):
    text = header.encode() if isinstance(header, str) else header
    length = len(text) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + length.to_bytes(2 if version == 1 else 4, "little") + text + data


def described(shape="(2, 3)", descr="'<f4'", order="False"):
    return "{'descr': %s, 'fortran_order': %s, 'shape': %s, }\n" % (descr, order, shape)


NPY = {
    "no_header": (b"\x93NUMPY\x01", "expected a .npy"),
    "version": (npy(described(), bytes(24), version=1)[:6] + b"\x09\x00" + bytes(30), "expected version 1, 2 or 3, found 9"),
    "header_too_long": (npy(described(), length=0xFFFF), "the header is truncated"),
    "header_of_4_gb": (npy(described(), length=0xFFFFFFFF, version=2), "the header is truncated"),
    "header_too_short": (npy(described(), bytes(24), length=9), "expected a string"),
    "not_a_dict": (npy("__import__('os').system('true')"), "expected '{'"),
    "deep": (npy("{'shape': " + "(" * 60000), "expected a size"),
    "negative": (npy(described("(-2, -3)"), bytes(24)), "expected a size"),
    "too_many_elements": (npy(described("(4294967296, 4294967296)")), "too many elements"),
    "size_of_65_bits": (npy(described("(18446744073709551616,)")), "expected a size"),
    "bytes_overflow": (npy(described("(4611686018427387904,)")), "too many elements in [4611686018427387904]"),
    "one_too_many": (npy(described("(7,)"), bytes(24)), "found 24 bytes"),
    "empty_and_huge": (npy(described("(0, 9223372036854775807, 9223372036854775807)", order="True")), "too many elements"),
    "fortran_huge": (npy(described("(3037000500, 3037000500)", order="True")), "too many elements"),
    "65_dimensions": (npy(described("(" + "1, " * 65 + ")"), bytes(4)), "more than 64 dimensions"),
    "object": (npy(described(descr="'|O'"), bytes(48)), "pickles, which are never opened"),
    "record": (npy(described(descr="[('a', '<f4')]"), bytes(24)), "structured dtypes are not read"),
    "big_endian": (npy(described(descr="'>f4'"), bytes(24)), "big-endian data is not read"),
    "text": (npy(described(descr="'<U1000000000'"), bytes(24)), "unknown dtype"),
}


@pytest.mark.parametrize("name", NPY)
def test_npy_files_that_lie(refuse, tmp_path, name):
    data, says = NPY[name]
    (tmp_path / "x.npy").write_bytes(data)
    refuse("run", network(), "--input", "x.npy", "--output", "y.npy", says=("x.npy at byte ", says))
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as npz:
        npz.writestr("input.npy", data)
    refuse("run", network(), "--input", "x.npz", "--output", "y.npy", says=("x.npz, entry 'input.npy' at byte ", says))


def safetensors(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def tensor(shape=(6,), offsets=(0, 24), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


SAFETENSORS = {
    "empty": (b"", "found a file of 0 bytes"),
    "header_of_2_63": (safetensors({}, length=1 << 63), "a header of 9223372036854775808 bytes does not fit"),
    "header_of_2_64": (safetensors({}, length=MAX64), "does not fit a file of"),
    "header_beyond_the_file": (safetensors({}, length=3), "does not fit a file of"),
    "deep": (safetensors(b"[" * DEEP), "nested too deeply"),
    "a_list": (safetensors([]), "expected an object"),
    "overlap": (safetensors({"a": tensor(), "b": tensor()}, bytes(24)), "overlaps and holes are not allowed"),
    "hole": (safetensors({"a": tensor(offsets=(4, 28))}, bytes(28)), "overlaps and holes are not allowed"),
    "rest": (safetensors({"a": tensor()}, bytes(32)), "the file has 32"),
    "beyond_the_file": (safetensors({"a": tensor()}, bytes(20)), "expected two data_offsets between 0 and 20"),
    "backwards": (safetensors({"a": tensor(offsets=(24, 0))}, bytes(24)), "expected two data_offsets"),
    "huge_offsets": (safetensors({"a": tensor(offsets=(0, MAX64))}, bytes(24)), "expected a 64-bit integer"),
    "negative": (safetensors({"a": tensor(shape=(-2, -3))}, bytes(24)), "negative size"),
    "too_many_elements": (safetensors({"a": tensor(shape=(1 << 32, 1 << 32))}, bytes(24)), "too many elements"),
    "bytes_overflow": (safetensors({"a": tensor(shape=(1 << 62,), offsets=(0, 0))}), "does not take the 0 bytes"),
    "same_name_twice": (
        safetensors(b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},'
            b'"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
        "this name occurs twice",
    ),
    "unknown_dtype": (safetensors({"a": tensor(dtype="O")}, bytes(24)), "unknown dtype 'O'"),
}


@pytest.mark.parametrize("name", SAFETENSORS)
def test_safetensors_files_that_lie(refuse, tmp_path, name):
    data, says = SAFETENSORS[name]
    (tmp_path / "x.safetensors").write_bytes(data)
    refuse("run", network(), "--input", "x.safetensors", "--output", "y.npy", says=("x.safetensors", says))


# ------------------------------------------------------------------------------------------------ statistics


@pytest.fixture(scope="session")
def statistics(qdq, tmp_path_factory):
    path = tmp_path_factory.mktemp("statistics") / "good.safetensors"
    subprocess.run([qdq, "calibrate", network(), "--data", IMAGES, "--samples", "8", "-q", "-o", path], check=True)
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def metadata(key, fn):
    """Edits the JSON text under `key` of __metadata__."""

    def edit(header, data):
        parsed = json.loads(header["__metadata__"][key])
        header["__metadata__"][key] = json.dumps(fn(parsed) or parsed)
        return data

    return edit


def text(key, value):
    def edit(header, data):
        if value is None:
            del header["__metadata__"][key]
        else:
            header["__metadata__"][key] = value
        return data

    return edit


def names_ending(header, suffix):
    return [name for name in header if name.endswith(suffix)]


def rename(header, data):
    header["elsewhere.min_val"] = header.pop(names_ending(header, ".min_val")[0])
    return data


def lose(suffix):
    """Leaves out one buffer, its bytes with it."""

    def edit(header, data):
        begin, stop = header.pop(names_ending(header, suffix)[-1])["data_offsets"]
        for name, one in header.items():
            if name != "__metadata__" and one["data_offsets"][0] >= stop:
                one["data_offsets"] = [at - (stop - begin) for at in one["data_offsets"]]
        return data[:begin] + data[stop:]

    return edit


def fill(suffix, value, which=0):
    def edit(header, data):
        begin, stop = header[names_ending(header, suffix)[which]]["data_offsets"]
        return data[:begin] + np.full((stop - begin) // 4, value, np.float32).tobytes() + data[stop:]

    return edit


def reshape(suffix, **members):
    def edit(header, data):
        header[names_ending(header, suffix)[0]].update(members)
        return data

    return edit


def enlarge(header, data):
    """One more element for one eps: its bytes at the end."""
    name = names_ending(header, ".eps")[-1]
    data = lose(".eps")(header, data)
    header[name] = tensor(shape=[2], offsets=(len(data), len(data) + 8))
    return data + bytes(8)


STATISTICS = {
    "format": (text("format", "other"), "expected the format 'qdq.statistics'"),
    "no_format": (text("format", None), "no 'format'"),
    "version": (text("version", "2"), "expected version 1, found '2'"),
    "no_program": (text("program", None), "no 'program'"),
    "no_observers": (text("observers", None), "no 'observers'"),
    "deep": (text("observers", "[" * DEEP), "nested too deeply"),
    "deep_recipe": (text("recipe", "[" * DEEP), "nested too deeply"),
    "no_json": (text("progress", "{'samples'}"), "JSON syntax error at byte 1"),
    "negative_samples": (metadata("progress", lambda p: p.update(samples=-1)), "found -1"),
    "huge_samples": (metadata("progress", lambda p: p.update(samples=1 << 63)), "expected a 64-bit integer"),
    "shard": (metadata("progress", lambda p: p.update(shards=["9/4"])), "shards"),
    "huge_shard": (metadata("progress", lambda p: p.update(shards=["1/" + "9" * 99])), "shards"),
    "no_targets": (metadata("observers", lambda o: o[0].update(targets=[])), "expected one name"),
    "same_target": (metadata("observers", lambda o: o + [o[0]]), "has an observer already"),
    "option_is_an_object": (metadata("observers", lambda o: o[0].update(options={"eps": {}})), "options.eps"),
    "unknown_option": (metadata("observers", lambda o: o[0].update(options={"run": 1})), "unknown option 'run'"),
    "belongs_to_none": (rename, "belongs to no observer"),
    "kind_is_a_list": (metadata("observers", lambda o: o[0].update(kind=[])), "expected a string"),
}

# Files that are well formed: what they say does not fit the program or makes no sense.
OTHER_STATISTICS = {
    "unknown_kind": (metadata("observers", lambda o: o[0].update(kind="os.system")), "os.system"),
    "other_kind": (metadata("observers", lambda o: o[0].update(kind="PlaceholderObserver")), "PlaceholderObserver"),
    "no_minimum": (lose(".min_val"), "min_val"),
    "nan": (fill(".min_val", np.nan), "min nan is not <= max nan"),
    "all_nan": (fill(".max_val", np.nan), "max nan"),
    "infinite": (fill(".max_val", np.inf), "max inf"),
    "backwards": (fill(".min_val", 1e30), "is not <= max"),
    "nan_histogram": (fill(".histogram", np.nan), "the histogram holds nan"),
    "negative_histogram": (fill(".histogram", -1), "the histogram holds -1"),
    "infinite_histogram": (fill(".histogram", np.inf), "the histogram holds inf"),
    "other_dtype": (reshape(".min_val", dtype="I32"), "'min_val' must be a float type, found int32"),
    "other_shape": (reshape(".min_val", shape=[1, 1, 1]), "'min_val' must be one value"),
    "more_eps": (enlarge, "'eps' must be one value, found sizes [2]"),
    "fewer_bins": (reshape(".histogram", dtype="F64", shape=[1024]), "2048 bins expected"),
}


def write_statistics(path, good, edit):
    header = json.loads(json.dumps(good[0]))
    data = edit(header, good[1])
    path.write_bytes(safetensors(header, data))


@pytest.mark.parametrize("name", STATISTICS)
def test_statistics_that_lie(refuse, tmp_path, statistics, name):
    edit, says = STATISTICS[name]
    write_statistics(tmp_path / "s.safetensors", statistics, edit)
    refuse("convert", network(), "--statistics", "s.safetensors", "-o", "out.pt2", says=("s.safetensors", says))
    assert not (tmp_path / "out.pt2").exists()


@pytest.mark.parametrize("name", OTHER_STATISTICS)
def test_statistics_that_make_no_sense(refuse, tmp_path, statistics, name):
    edit, says = OTHER_STATISTICS[name]
    write_statistics(tmp_path / "s.safetensors", statistics, edit)
    refuse("convert", network(), "--statistics", "s.safetensors", "-o", "out.pt2", says=says, code=1)
    assert not (tmp_path / "out.pt2").exists()


# ---------------------------------------------------------------------------------------------------- graphs

GRAPHS = {
    "lists": "graph(x) {\n  %y = aten.f.default(" + "[" * DEEP,
    "dicts": "graph(x) {\n  %y = aten.f.default(" + '{"a": ' * DEEP,
    "types": "graph(x: " + "[" * DEEP,
    "sizes": "graph(x: float32[" + "(" * DEEP + "s0",
    "functions_of_sizes": "graph(x: float32[" + "Max(" * DEEP + "s0",
    "bodies": "graph() {\n" + "  %y = higher_order.cond(graph() {\n" * DEEP,
    "huge_number": "graph(x) {\n  %y = aten.f.default(" + "9" * DEEP,
    "huge_attribute": "attribute @w : parameter float32[1099511627776] = full(0)\ngraph() {\n}",
    "huge_strides": "attribute @w : parameter float32[2] strides [9223372036854775807] = [1, 2]\ngraph() {\n}",
    "sizes_overflow": "attribute @w : parameter float32[4294967296, 4294967296, 4294967296] = full(0)\ngraph() {\n}",
    "unknown_node": "graph() {\n  return (%nowhere)\n}",
    "itself": "graph() {\n  %y = aten.relu.default(%y)\n}",
    "same_name_twice": "graph(x, x) {\n}",
    "no_end": "graph(",
    "nul": "graph(x) {\0}",
}


@pytest.mark.parametrize("name", GRAPHS)
def test_texts_of_graphs_that_lie(refuse, tmp_path, name):
    (tmp_path / "g.graph").write_text(GRAPHS[name])
    refuse("inspect", "g.graph", says="g.graph:")
