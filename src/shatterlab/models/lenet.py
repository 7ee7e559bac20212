"""LeNet-5 as its authors describe it: LeCun, Bottou, Bengio, Haffner (1998), section II.B, 60,000 trainable numbers."""

import torch
import torch.nn.functional as F
from torch import nn

# Table I of the paper lists the maps of the second layer that each of the 16 maps of the third layer sees.
CONNECTIONS = (
    *[tuple((i + j) % 6 for j in range(3)) for i in range(6)],
    *[tuple((i + j) % 6 for j in range(4)) for i in range(6)],
    (0, 1, 3, 4),
    (1, 2, 4, 5),
    (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)
SIDE = 32


class Subsampling(nn.Module):
    """The mean over 2 x 2 pixels, times a coefficient, plus an offset; each map trains one of both."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.ones(channels))
        self.offset = nn.Parameter(torch.zeros(channels))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, channels, height / 2, width / 2)."""
        return F.avg_pool2d(maps, 2) * self.coefficient[:, None, None] + self.offset[:, None, None]


class PartialConvolution(nn.Module):
    """A 5 x 5 convolution in which each map sees only some of the maps below, see `CONNECTIONS`."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Conv2d(len(seen), 1, 5) for seen in CONNECTIONS)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(batch, 16, height - 4, width - 4)."""
        return torch.cat(
            [convolution(maps[:, list(seen)]) for convolution, seen in zip(self.maps, CONNECTIONS, strict=True)], dim=1
        )


class LeNet5(nn.Module):
    """The network for ten classes of grey images of 32 x 32 pixels.

    The output is minus the squared distance to a code of each class. The codes are fixed and therefore not counted.
    The authors drew pictures of the digits as codes and name random signs as an alternative, which is used here.
    """

    codes: torch.Tensor

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.c1, self.s2 = nn.Conv2d(1, 6, 5), Subsampling(6)
        self.c3, self.s4 = PartialConvolution(), Subsampling(16)
        self.c5, self.f6 = nn.Conv2d(16, 120, 5), nn.Linear(120, 84)
        self.register_buffer("codes", 2.0 * torch.randint(2, (classes, 84)) - 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Scores (batch, classes) of images (batch, 1, 32, 32)."""
        maps = _squash(self.s2(self.c1(images)))
        maps = _squash(self.s4(self.c3(maps)))
        features = _squash(self.f6(_squash(self.c5(maps)).flatten(1)))
        return -((features[:, None] - self.codes) ** 2).sum(-1)


def _squash(values: torch.Tensor) -> torch.Tensor:
    """1.7159 tanh(2/3 x), appendix A."""
    return 1.7159 * torch.tanh(2 / 3 * values)
