"""Steps on a GPU as CUDA graphs: the host launches an update of the weights once and not each of its kernels.

The update of a small network is a hundred kernels of some microseconds each, and launching one takes the host as long.
A graph is captured once for each size of batch and then replayed on the same memory (A. Nguyen et al., 2021,
https://pytorch.org/blog/accelerating-pytorch-with-cuda-graphs/). Gathering and augmenting the batch stay outside.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Protocol

import torch

from .learner import Batch, Learner

WARM_UP = 3
"""So many steps are taken with each size of batch before the capture: libraries choose algorithms in the first."""

Step = Callable[[Batch], torch.Tensor]


class Graphs(Protocol):
    """The interface of what captures steps: `CUDAGraphs`, or a stand-in where there is no GPU."""

    def warm(self, step: Step, batch: Batch) -> torch.Tensor:
        """Takes a step in the way in which the capture will take it."""

    def capture(self, step: Step, batch: Batch) -> Step | None:
        """Returns a captured step that has not been taken yet, or None where the step cannot be captured."""


class Captured(Learner):
    """A learner whose steps are captured; the steps before the capture are part of the training."""

    def __init__(self, learner: Learner, graphs: Graphs) -> None:
        self.learner, self.graphs = learner, graphs
        self.device, self.dtype = learner.device, learner.dtype
        self._forget()

    def _forget(self) -> None:
        self.runs = self.learner.runs
        self.seen: Counter[int] = Counter()
        self.captured: dict[int, Step] = {}

    def step(self, batch: Batch) -> torch.Tensor:
        """See `Learner`."""
        size = batch.labels.shape[1]
        if self.seen[size] < WARM_UP:
            self.seen[size] += 1
            return self.graphs.warm(self.learner.step, batch)
        if size not in self.captured:
            self.captured[size] = self.graphs.capture(self.learner.step, batch) or self.learner.step
        return self.captured[size](batch)

    def outputs(self, images: torch.Tensor, members: Sequence[int]) -> torch.Tensor:
        """See `Learner`."""
        return self.learner.outputs(images, members)

    def write_back(self) -> None:
        """See `Learner`."""
        self.learner.write_back()

    def keep(self, members: Sequence[int]) -> None:
        """See `Learner`; what was captured acts on the memory of the larger stack and is forgotten."""
        self.learner.keep(members)
        self._forget()


class CUDAGraphs:
    """Captures steps on one stream beside the main one, with one pool of memory for all graphs.

    Graphs can share the pool, as no replay needs what an earlier one has left there.
    """

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()
        self.pool = torch.cuda.graph_pool_handle()
        self.refused = ""
        self.failed: list[torch.cuda.CUDAGraph] = []

    def warm(self, step: Step, batch: Batch) -> torch.Tensor:
        """Takes a step on the stream of the capture and notes whether it waits for the host, which no graph can do."""
        before = torch.cuda.get_sync_debug_mode()
        self.stream.wait_stream(torch.cuda.current_stream())
        with warnings.catch_warnings(record=True) as noted, torch.cuda.stream(self.stream):
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                logits = step(batch)
            finally:
                torch.cuda.set_sync_debug_mode(before)
        torch.cuda.current_stream().wait_stream(self.stream)
        if any("synchronizing CUDA operation" in str(warning.message) for warning in noted):
            self.refused = "its step waits for the host"
        return logits

    def capture(self, step: Step, batch: Batch) -> Step | None:
        """Returns a step that replays a CUDA graph, or None; see `Graphs`."""
        images, labels, rates, keys = batch.tensors
        still = Batch(images.clone(), labels.clone(), rates.clone(), keys.clone())
        captured = None if self.refused else self._captured(step, still)
        if captured is None:
            warnings.warn(f"this model is trained without CUDA graphs, as {self.refused}", stacklevel=2)
            return None
        graph, logits = captured

        def replay(given: Batch) -> torch.Tensor:
            for part, new in zip(still.tensors, given.tensors, strict=True):
                part.copy_(new)
            graph.replay()
            return logits.clone()

        return replay

    def _captured(self, step: Step, still: Batch) -> tuple[torch.cuda.CUDAGraph, torch.Tensor] | None:
        # These are the steps of `torch.cuda.graph`, which leaves its own stream the current one where a capture fails.
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.stream(self.stream):
                graph.capture_begin(pool=self.pool)
                try:
                    logits = step(still)
                finally:
                    graph.capture_end()
        except RuntimeError as error:
            self.failed.append(graph)  # torch's allocator may still refer to it
            self.refused = f"its step cannot be captured ({error})"
            return None
        return graph, logits
