"""The quantizers besides XNNPACK's annotate as torchao's: the prepared and converted graphs are equal."""

import pytest
import torch
import torch.nn as nn

pytest.importorskip("torchao")
from torchao.quantization.pt2e.quantizer import ComposableQuantizer  # noqa: E402
from torchao.quantization.pt2e.quantizer.embedding_quantizer import EmbeddingQuantizer  # noqa: E402
from torchao.testing.pt2e._xnnpack_quantizer import (  # noqa: E402
    XNNPACKQuantizer,
    get_symmetric_quantization_config,
)
from torchao_flow import compare, export  # noqa: E402


class TextNet(nn.Module):
    """Two embeddings, a convolution over time and linears."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(50, 12)
        self.kinds = nn.Embedding(3, 12, padding_idx=0)
        self.conv = nn.Conv1d(12, 8, 3, padding=1)
        self.head = nn.Linear(8, 4)

    def forward(self, ids, kinds):
        x = self.words(ids) + self.kinds(kinds)
        x = torch.relu(self.conv(x.permute(0, 2, 1)))
        return self.head(x.mean(2))


def text_batches():
    generator = torch.Generator().manual_seed(0)
    return [
        (
            torch.randint(0, 50, (2, 9), generator=generator),
            torch.randint(0, 3, (2, 9), generator=generator),
        )
        for _ in range(3)
    ]


def test_embeddings_are_quantized_as_by_torchao(tmp_path):
    batches = text_batches()
    path = export(tmp_path, TextNet().eval(), batches[0])
    compare(tmp_path, path, batches, ["--quantizer", "embedding"], EmbeddingQuantizer())


@pytest.mark.parametrize("dynamic", [False, True])
def test_composed_quantizers_annotate_as_torchaos(tmp_path, dynamic):
    batches = text_batches()
    path = export(tmp_path, TextNet().eval(), batches[0])
    options = ["--quantizer", "embedding,xnnpack", "--per-channel"] + (["--dynamic"] if dynamic else [])
    xnnpack = XNNPACKQuantizer().set_global(
        get_symmetric_quantization_config(is_per_channel=True, is_dynamic=dynamic)
    )
    compare(tmp_path, path, batches, options, ComposableQuantizer([EmbeddingQuantizer(), xnnpack]))
