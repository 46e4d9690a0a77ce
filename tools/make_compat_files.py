"""Writes the frozen .pt2 files below tests/compat/pt2/, one folder for each torch version.

Files of released torch versions are never rewritten: run this with a new torch to add a folder.
"""

import argparse
import re
import warnings
from pathlib import Path

import torch
from torch import nn
from torch.export import Dim

ROOT = Path(__file__).resolve().parents[1]


class ConvNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.bn = nn.BatchNorm2d(4)
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        return self.linear(torch.relu(self.bn(self.conv(x))).mean((2, 3)))


class DictOutputs(nn.Module):
    def forward(self, x):
        top = x.topk(2, dim=1)
        first, _ = x.split(2, dim=1)
        return {"values": top.values, "nested": [first, x.shape[0]]}, None, 3


class Counter(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))
        self.register_buffer("scale", torch.tensor([2.0, 3.0]), persistent=False)

    def forward(self, x):
        self.calls.add_(1)
        x.mul_(2)
        return x * self.scale + self.calls + torch.tensor([0.5, 0.25])


class ControlFlow(nn.Module):
    def forward(self, x, n):
        y = torch.cond(x.sum() > 0, lambda t: t.sin() + 1, lambda t: t.cos(), (x,))
        _, z = torch.while_loop(lambda i, _: i > 0, lambda i, t: (i - 1, t * 2 + y), (n, x))
        return y, z


class Keywords(nn.Module):
    def forward(self, x, scale, mode, *, bias=None, flag=True, table):
        y = x * scale if mode == "mul" else x + scale
        if flag:
            y = y - 1
        return y + table["a"] if bias is None else y + bias


class SharedWeights(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight
        base = torch.arange(12.0)
        self.register_buffer("low", base[:4])
        self.register_buffer("high", base[4:12].view(2, 4).t())
        self.unused = nn.Linear(2, 2)

    def forward(self, x):
        return self.head(self.embed(x) + self.low) + self.high.sum()


class Dtypes(nn.Module):
    def __init__(self):
        super().__init__()
        names = "float64 float16 bfloat16 int8 uint8 int16 int32 int64 bool float8_e4m3fn float8_e5m2 uint16 complex64"
        self.names = names.split()
        for name in self.names:
            values = torch.tensor([0, 1, 1, 3]).to(getattr(torch, name))
            self.register_buffer(f"b_{name}", values)
        self.register_buffer("empty", torch.zeros(0, 3))
        self.register_buffer("scalar", torch.tensor(7, dtype=torch.int32))

    def forward(self, x):
        for name in self.names:
            value = getattr(self, f"b_{name}")
            x = x + (value.real if value.is_complex() else value.to(torch.float32))
        return x.to(torch.float16) + self.empty.sum() + self.scalar


class Symbols(nn.Module):
    def forward(self, x, y):
        n = x.shape[0]
        half = (n + 1) // 2
        z = torch.cat([x[:half], y]).reshape(-1, 2)
        count = (x > 0).sum().item()
        torch._check(count >= 0)
        return z * (n / 2), torch.zeros(count, x.shape[1]), x.new_full((n, 2), float("inf"))


class UnknownOp(nn.Module):
    def forward(self, x):
        parts = torch.ops.qdq_compat.halves(x, [1, 2], mode="up")
        return torch.ops.qdq_compat.pair(parts[0], 2.5)[1]


def register_unknown_ops():
    @torch.library.custom_op("qdq_compat::halves", mutates_args=())
    def halves(x: torch.Tensor, sizes: list[int], mode: str = "down") -> list[torch.Tensor]:
        return [x * 0.5, x * 0.5 + len(sizes)]

    @halves.register_fake
    def _(x, sizes, mode="down"):
        return [torch.empty_like(x), torch.empty_like(x)]

    @torch.library.custom_op("qdq_compat::pair", mutates_args=())
    def pair(x: torch.Tensor, factor: float) -> tuple[torch.Tensor, torch.Tensor]:
        return x + 1, x * factor

    @pair.register_fake
    def _(x, factor):
        return torch.empty_like(x), torch.empty_like(x)


def programs():
    """name -> (module, args, kwargs, dynamic_shapes)"""
    batch, rows = Dim("batch", max=64), Dim("rows", min=3, max=1000)
    keywords = {"bias": None, "flag": True, "table": {"a": torch.ones(3)}}
    return {
        "conv_net": (ConvNet(), (torch.randn(2, 3, 8, 8),), {}, {"x": {0: batch}}),
        "dict_outputs": (DictOutputs(), (torch.randn(3, 4),), {}, {"x": {0: batch}}),
        "counter": (Counter(), (torch.randn(3, 2),), {}, None),
        "control_flow": (ControlFlow(), (torch.randn(3), torch.tensor(2)), {}, None),
        "keywords": (Keywords(), (torch.randn(3), 2.5, "mul"), keywords, None),
        "shared_weights": (SharedWeights(), (torch.tensor([[0, 4, 2]]),), {}, None),
        "dtypes": (Dtypes(), (torch.randn(2, 4),), {}, None),
        "symbols": (Symbols(), (torch.randn(6, 4), torch.randn(3, 4)), {}, {"x": {0: 2 * rows}, "y": {0: rows}}),
        "unknown_op": (UnknownOp(), (torch.randn(2, 3),), {}, None),
    }


def without_folders(program):
    """Stack traces say nothing of the machine on which the files were made."""
    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            if trace := node.meta.get("stack_trace"):
                node.meta["stack_trace"] = re.sub(r'File "[^"]*/(?=site-packages/|tools/)', 'File "', trace)
    return program


def exported_programs():
    """name -> ExportedProgram, decomposed variants included."""
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    register_unknown_ops()
    for name, (module, args, kwargs, shapes) in programs().items():
        program = torch.export.export(module.eval(), args, kwargs, dynamic_shapes=shapes)
        yield name, program
        if name in ("conv_net", "counter", "dict_outputs"):
            yield f"{name}_decomposed", program.run_decompositions()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    version = "torch-" + ".".join(torch.__version__.split(".")[:2])
    parser.add_argument("--folder", type=Path, default=ROOT / "tests" / "compat" / "pt2" / version)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, program in exported_programs():
        torch.export.save(without_folders(program), folder / f"{name}.pt2")
        print(folder / f"{name}.pt2")


if __name__ == "__main__":
    main()
