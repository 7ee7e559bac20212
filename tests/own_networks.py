"""Networks of a user's own, as they come: for tests."""

import torch
from torch import nn


class Convolutional(nn.Module):
    """Batch normalization and a view, on digits of one channel."""

    def __init__(self, shape, classes):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(shape[0], 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.classifier = nn.Linear(8 * shape[1] * shape[2], classes)

    def forward(self, images):
        return self.classifier(self.features(images).view(len(images), -1))


class Tabular(nn.Module):
    """A perceptron on columns, with dropout of its own."""

    def __init__(self, shape, classes):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(*shape, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, classes))

    def forward(self, rows):
        return self.layers(rows)


class Attentive(nn.Module):
    """A transformer on token ids."""

    def __init__(self, shape, classes, vocabulary=17, width=16):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(torch.randn(shape[0], width) / 4)
        layer = nn.TransformerEncoderLayer(width, 2, dim_feedforward=32, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1)
        self.out = nn.Linear(width, classes)

    def forward(self, tokens):
        return self.out(self.encoder(self.embedding(tokens) + self.places).mean(1))


class Odd(nn.Module):
    """A frozen layer, an unused one, tied weights, a complex filter and a layer that draws for itself."""

    def __init__(self, shape, classes):
        super().__init__()
        width = shape[0]
        self.frozen = nn.Linear(width, width)
        self.frozen.requires_grad_(False)
        self.unused = nn.Linear(3, 3)
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        self.second.weight = self.first.weight
        self.filter = nn.Parameter(torch.ones(width // 2 + 1, dtype=torch.complex64))
        self.out = nn.Linear(width, classes)
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64), persistent=False)

    def forward(self, rows):
        if self.training:
            self.seen += len(rows)
            rows = rows + 0.01 * torch.randn_like(rows)
        rows = torch.fft.irfft(torch.fft.rfft(torch.relu(self.frozen(rows))) * self.filter, n=rows.shape[1])
        return self.out(torch.relu(self.second(torch.relu(self.first(rows)))))
