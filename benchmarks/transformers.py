"""Transformers of usual sizes with random weights, spelled out as most code does it: for speed alone."""

import torch
from torch import nn
from torch.nn import functional


class Attention(nn.Module):
    def __init__(self, width, heads, mask=None):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.register_buffer("mask", mask)

    def forward(self, x):
        batch, length, width = x.shape
        query, key, value = (
            layer(x).view(batch, length, self.heads, width // self.heads).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(-1, -2) * (width // self.heads) ** -0.5
        if self.mask is not None:
            scores = scores + self.mask
        return self.out((torch.softmax(scores, -1) @ value).transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """Layer norm in front of attention and of two linear layers with a GELU between them."""

    def __init__(self, width, heads, mask=None):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, mask)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


class VisionTransformer(nn.Module):
    """ViT-S/16: patches of 16 x 16 of an image [n, 3, 224, 224] to 1000 classes."""

    def __init__(self, width=384, heads=6, layers=12):
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.class_token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, 197, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 1000)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


class Decoder(nn.Module):
    """A decoder language model: ids [n, 128] to the scores of each next one."""

    def __init__(self, width=512, heads=8, layers=6, vocabulary=8192, length=128):
        super().__init__()
        mask = torch.triu(torch.full((length, length), -1e4), 1)
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.randn(1, length, width))
        self.blocks = nn.Sequential(*(Block(width, heads, mask) for _ in range(layers)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, ids):
        return self.head(self.norm(self.blocks(self.tokens(ids) + self.positions)))
