"""Exports the networks of tests/e2e/duplicate_dq_test.cc to tests/e2e/data.

The four scenarios of PyTorch's test of the duplicate-dequantize pass: an op chain that shares one observer, a tensor with
four consumers of which three or two are annotated, and pooling annotated with another configuration.

    .venv-test/bin/python tools/make_seed_files.py
"""

import pathlib
import re

import torch
import torch.nn as nn

DATA = pathlib.Path(__file__).resolve().parents[1] / "tests" / "e2e" / "data"


class ConvWithObsSharingOps(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3)
        self.hardtanh = nn.Hardtanh()
        self.adaptive_avg_pool2d = nn.AdaptiveAvgPool2d((1, 1))
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        x = self.hardtanh(self.adaptive_avg_pool2d(self.conv(x)))
        return self.linear(x.view(-1, 3))


class ConvWithSharedDQ(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 3)
        self.conv2 = nn.Conv2d(3, 3, 1)
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        x = self.conv1(x)
        w = self.linear(x.view(-1, 3))
        return w, x + self.conv2(x), x * 2


class DifferentQConfig(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 3, 3)
        self.conv2 = nn.Conv2d(3, 3, 1)
        self.adaptive_avg_pool2d = nn.AdaptiveAvgPool2d((1, 1))

    def forward(self, x):
        x = self.conv1(x)
        w = self.adaptive_avg_pool2d(x)
        return w, x + self.conv2(x), x + 2


def scrub(program):
    """Stack traces name files relative to the project or to torch."""
    for node in program.graph.nodes:
        if trace := node.meta.get("stack_trace"):
            trace = re.sub(r'"[^"]*/(torch/[^"]*)"', r'"\1"', trace)
            node.meta["stack_trace"] = re.sub(r'"[^"]*/(tools/[^"]*)"', r'"\1"', trace)
    return program


def main():
    torch.manual_seed(0)
    DATA.mkdir(parents=True, exist_ok=True)
    for name, module in [
        ("conv_with_obs_sharing_ops", ConvWithObsSharingOps()),
        ("conv_with_shared_dq", ConvWithSharedDQ()),
        ("different_qconfig", DifferentQConfig()),
    ]:
        # Strict export records the module or function behind each op, by which torchao finds poolings.
        exported = torch.export.export(module.eval(), (torch.randn(1, 3, 5, 7),), strict=True)
        torch.export.save(scrub(exported), DATA / f"{name}.pt2")


if __name__ == "__main__":
    main()
