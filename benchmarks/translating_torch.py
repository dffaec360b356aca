"""The Transformer of `translating.py` in PyTorch, in a process of its own.

    python benchmarks/translating_torch.py SIZES.json WEIGHTS.npz

needs only PyTorch and NumPy. For each line of standard input, a path of ids
`(B, S)` in NumPy's format, it translates them greedily and prints the words and
the seconds that it took.
"""

import json
import math
import sys
import time

import numpy as np
import torch
from torch import nn


class Translator(nn.Module):
    """`nn.Transformer` between two tables of words."""

    def __init__(self, vocabulary, width, layers, heads, inner, length):
        super().__init__()
        self.width = width
        self.source = nn.Embedding(vocabulary, width)
        self.target = nn.Embedding(vocabulary, width)
        self.transformer = nn.Transformer(
            width, heads, layers, layers, inner, batch_first=True
        )
        # The paper's network has no norm behind its last blocks.
        self.transformer.encoder.norm = None
        self.transformer.decoder.norm = None
        self.generator = nn.Linear(width, vocabulary, bias=False)
        self.generator.weight = self.target.weight
        places = torch.arange(length)[:, None]
        speeds = torch.arange(0, width, 2) * (-math.log(10000.0) / width)
        waves = torch.zeros(length, width)
        waves[:, 0::2] = torch.sin(places * torch.exp(speeds))
        waves[:, 1::2] = torch.cos(places * torch.exp(speeds))
        self.register_buffer("waves", waves, persistent=False)

    def encode(self, ids, padding):
        x = self.source(ids) * math.sqrt(self.width)
        x = x + self.waves[: ids.size(1)]
        return self.transformer.encoder(x, src_key_padding_mask=padding)

    def decode(self, ids, memory, mask, padding):
        x = self.target(ids) * math.sqrt(self.width)
        x = x + self.waves[: ids.size(1)]
        return self.transformer.decoder(
            x, memory, tgt_mask=mask, memory_key_padding_mask=padding
        )


@torch.no_grad()
def greedy(model, ids, steps, start):
    """The most probable words, each after the prefix was read anew."""
    padding = ids == 0
    memory = model.encode(ids, padding)
    said = torch.full((ids.size(0), 1), start)
    for _ in range(steps):
        mask = nn.Transformer.generate_square_subsequent_mask(said.size(1))
        read = model.decode(said, memory, mask, padding)
        logits = model.generator(read[:, -1])
        logits[:, start] = -math.inf
        said = torch.cat([said, logits.argmax(dim=-1, keepdim=True)], dim=1)
    return said[:, 1:]


def main(sizes, weights):
    with open(sizes) as file:
        sizes = json.load(file)
    steps, start = sizes.pop("steps"), sizes.pop("start")
    model = Translator(**sizes)
    arrays = np.load(weights)
    model.load_state_dict({key: torch.tensor(arrays[key]) for key in arrays})
    model.eval()
    about = {"version": torch.__version__, "threads": torch.get_num_threads()}
    print(json.dumps(about), flush=True)
    for line in sys.stdin:
        ids = torch.tensor(np.load(line.strip()), dtype=torch.int64)
        begun = time.perf_counter()
        said = greedy(model, ids, steps, start)
        seconds = time.perf_counter() - begun
        print(json.dumps([said.tolist(), seconds]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
