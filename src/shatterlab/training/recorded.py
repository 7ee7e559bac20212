"""Steps on a GPU as recordings: one launch for a whole step and not one for each of its kernels.

A step of a small network is a hundred kernels of some microseconds each, and launching one takes the host as long.
A CUDA graph is recorded once for each size of batch and then replayed on the same memory (A. Nguyen et al., 2021,
https://pytorch.org/blog/accelerating-pytorch-with-cuda-graphs/).
"""

from collections import Counter
from collections.abc import Callable, Sequence

import torch

from .learner import Batch, Learner

WARM_UP = 3
"""Steps of each size of batch taken before recording: libraries choose their algorithms in the first."""

Step = Callable[[Batch], torch.Tensor]


class Recorded(Learner):
    """A learner whose steps are recorded.

    The steps that warm up are steps of the training itself. A model that cannot be recorded, as it asks the
    host in the middle of a step, goes on without.

    Args:
        learner: what is to be recorded.
        warm: takes a step before the recording.
        record: makes a recording of a step from its first batch, without taking the step.
    """

    def __init__(
        self, learner: Learner, warm: Callable[[Step, Batch], torch.Tensor], record: Callable[[Step, Batch], Step]
    ) -> None:
        self.learner, self.warm, self.record = learner, warm, record
        self.device, self.dtype = learner.device, learner.dtype
        self._forget()

    def _forget(self) -> None:
        self.runs = self.learner.runs
        self.seen: Counter[int] = Counter()
        self.recordings: dict[int, Step] = {}

    def step(self, batch: Batch) -> torch.Tensor:
        """See `Learner`."""
        size = batch.labels.shape[1]
        if self.seen[size] < WARM_UP:
            self.seen[size] += 1
            return self.warm(self.learner.step, batch)
        if size not in self.recordings:
            try:
                self.recordings[size] = self.record(self.learner.step, batch)
            except RuntimeError:
                self.recordings[size] = self.learner.step
        return self.recordings[size](batch)

    def outputs(self, images: torch.Tensor, members: Sequence[int]) -> torch.Tensor:
        """See `Learner`."""
        return self.learner.outputs(images, members)

    def write_back(self) -> None:
        """See `Learner`."""
        self.learner.write_back()

    def keep(self, members: Sequence[int]) -> None:
        """See `Learner`; what was recorded acts on the memory of the larger stack and is forgotten."""
        self.learner.keep(members)
        self._forget()


def warm_on_cuda(step: Step, batch: Batch) -> torch.Tensor:
    """A step on a stream beside the main one, as a recording will be made."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        logits = step(batch)
    torch.cuda.current_stream().wait_stream(side)
    return logits


def record_on_cuda(step: Step, batch: Batch) -> Step:
    """A CUDA graph of a step."""
    still = Batch(*(part.clone() for part in batch))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits = step(still)

    def replay(given: Batch) -> torch.Tensor:
        for part, new in zip(still, given, strict=True):
            part.copy_(new)
        graph.replay()
        return logits.clone()

    return replay
