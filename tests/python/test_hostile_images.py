"""Images made to do harm among the calibration data: refused with the file's name, within little memory and time."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from conftest import network


def chunk(kind, data=b"", crc=None):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) if crc is None else crc)


def header(width=28, height=28, depth=8, colour=0, compression=0, filters=0, interlace=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, compression, filters, interlace))


def png(*chunks):
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def pixels(rows=28, row=29):
    return chunk(b"IDAT", zlib.compress(bytes(rows * row)))


END = chunk(b"IEND")

PNG = {
    "signature_only": (png(), "expected a JPEG or PNG image"),
    "no_header": (png(pixels(), END), "IHDR"),
    "no_pixels": (png(header(), END), ""),
    "no_end": (png(header(), pixels()), "ends too early"),
    "few_pixels": (png(header(), pixels(rows=27), END), ""),
    "no_width": (png(header(width=0), pixels(), END), "width is zero"),
    "width_of_2_32": (png(header(width=0xFFFFFFFF), pixels(), END), "out of range"),
    "width_of_2_31": (png(header(width=0x7FFFFFFF), pixels(), END), ""),
    "huge": (png(header(width=900_000, height=900_000), pixels(), END), "found 900000 x 900000"),
    "bomb_by_header": (png(header(width=11_000, height=11_000), pixels(), END), "cannot hold 11000 x 11000 pixels"),
    "rows_beyond_the_data": (png(header(height=10_000), pixels(), END), ""),
    "depth_3": (png(header(depth=3), pixels(), END), "bit depth"),
    "colour_5": (png(header(colour=5), pixels(), END), "color type"),
    "interlace_9": (png(header(interlace=9), pixels(), END), "interlace"),
    "no_palette": (png(header(colour=3), pixels(), END), "PLTE"),
    "palette_of_2_bytes": (png(header(colour=3), chunk(b"PLTE", b"ab"), pixels(), END), ""),
    "chunk_beyond_the_file": (png(header(), struct.pack(">I", 1 << 30) + b"IDAT"), "ends too early"),
    "chunk_of_2_32": (png(header(), struct.pack(">I", 0xFFFFFFFF) + b"IDAT" + bytes(64)), ""),
    "wrong_checksum": (png(header(), chunk(b"IDAT", zlib.compress(bytes(812)), crc=1), END), "CRC"),
    "not_deflate": (png(header(), chunk(b"IDAT", b"\xff" * 40), END), ""),
    "header_twice": (png(header(), header(width=4000), pixels(), END), ""),
}


def jpeg(**options):
    file = io.BytesIO()
    Image.fromarray(np.arange(784, dtype=np.uint8).reshape(28, 28)).save(file, "JPEG", **options)
    return file.getvalue()


def segment(marker, data):
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data


def with_size(height, width):
    """The frame header's height and width replaced: they follow its marker, length and precision."""
    data = jpeg()
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def many_scans():
    """A progressive file of 8 x 8 pixels in which every coefficient comes bit by bit: legal, and each scan is a pass over all
    pixels."""
    quantization = segment(0xDB, b"\0" + bytes([1] * 64))
    frame = segment(0xC2, struct.pack(">BHHB", 8, 8, 8, 1) + b"\1\x11\0")
    tables = [segment(0xC4, bytes([kind, 1, *[0] * 15, 0])) for kind in (0x00, 0x10)]  # the code "0": nothing, end of block

    def scan(coefficient, before, bit):
        return segment(0xDA, bytes([1, 1, 0, coefficient, coefficient, before << 4 | bit])) + b"\x7f"

    ac = [scan(k, 0 if bit == 13 else bit + 1, bit) for k in range(1, 64) for bit in range(13, -1, -1)]
    return b"\xff\xd8" + quantization + frame + b"".join(tables) + scan(0, 0, 0) + b"".join(ac) + b"\xff\xd9"


JPEG = {
    "signature_only": (b"\xff\xd8\xff", ""),
    "no_pixels": (b"\xff\xd8\xff\xd9", ""),
    "no_scan": (jpeg()[: jpeg().index(b"\xff\xda")] + b"\xff\xd9", ""),
    "no_tables": (b"\xff\xd8" + jpeg()[jpeg().index(b"\xff\xc0") :].replace(b"\xff\xc4", b"\xff\xe4"), ""),
    "no_width": (with_size(28, 0), ""),
    "huge": (with_size(65_535, 65_535), ""),
    "larger_than_allowed": (with_size(60_000, 60_000), "found 60000 x 60000"),
    "bomb_by_header": (with_size(11_000, 11_000), "cannot hold 11000 x 11000 pixels"),
    "rows_beyond_the_data": (with_size(2_000, 28), ""),
    "too_many_scans": (many_scans(), "more than 100 scans"),
    "segment_beyond_the_file": (b"\xff\xd8\xff\xe0\xff\xff" + bytes(20), ""),
    "segment_of_no_length": (b"\xff\xd8\xff\xe0\x00\x00" + bytes(20), ""),
    "twelve_bits": (jpeg().replace(b"\xff\xc0\x00\x0b\x08", b"\xff\xc0\x00\x0b\x0c"), "recision"),
    "arithmetic": (jpeg().replace(b"\xff\xc0", b"\xff\xca"), ""),
}


@pytest.fixture
def arguments(tmp_path):
    """Those of `qdq calibrate` on a folder with one image."""

    def arguments(name, data):
        folder = tmp_path / "images"
        folder.mkdir()
        (folder / name).write_bytes(data)
        options = ("--preprocess", "to_tensor", "--channels", "gray")
        return "calibrate", network(), "--data", "images", *options, "-o", "s.safetensors"

    return arguments


@pytest.mark.parametrize("name", PNG)
def test_png_images_that_lie(refuse, arguments, tmp_path, name):
    data, says = PNG[name]
    refuse(*arguments("a.png", data), says=("a.png", says))
    assert not (tmp_path / "s.safetensors").exists()


@pytest.mark.parametrize("name", JPEG)
def test_jpeg_images_that_lie(refuse, arguments, tmp_path, name):
    data, says = JPEG[name]
    refuse(*arguments("a.jpg", data), says=("a.jpg", says))
    assert not (tmp_path / "s.safetensors").exists()


BOMBS = {
    "zTXt": b"Comment\0\0",
    "iTXt": b"Comment\0\1\0\0\0",
    "iCCP": b"icc\0\0",
}


@pytest.mark.parametrize("kind", BOMBS)
def test_texts_and_profiles_that_inflate_to_gigabytes_cost_nothing(run_limited, arguments, kind):
    bomb = chunk(kind.encode(), BOMBS[kind] + zlib.compress(bytes(1 << 31), 1))
    done = run_limited(*arguments("a.png", png(header(), bomb, pixels(), END)))
    assert done.returncode == 0, done.stderr
