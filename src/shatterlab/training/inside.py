"""Going on inside an epoch: what a run has to remember there beside its weights, and when it is saved."""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, NamedTuple

import torch

from ..models.generators import states
from ..ranks import agreed, gathered, processes
from .marks import Marks

LOOK_SECONDS = 0.1
"""The clock is looked at about so often."""
LOOKS_APART = 10
"""Several processes have to agree at each look, so that they look so many times less often."""


class Inside(NamedTuple):
    """What a run has to remember, beside its weights, to go on inside an epoch.

    Order, augmentation, dropout and learning rates of the epoch's steps are drawn anew from seed and epoch.
    """

    step: int
    """The number of steps done in this epoch."""
    seconds: float
    """The time that they took, the run's share of it where it was in a stack."""
    marks: Marks
    """How the run did on the examples of these steps, (1, examples), in the order of training."""
    generators: list[dict[str, Any]]
    """The states of the global random generators in each process that trained it, see `models.generators.states`."""


Save = Callable[[Sequence[Inside]], None]


class Saving:
    """Decides when what has been done is saved.

    Steps are queued on a GPU long before they are done, so that the time of queueing tells nothing. Each look at the
    clock therefore waits until the GPU has done the steps queued before the last look; the later ones keep it busy.

    Args:
        every: seconds since the last time after which it is time again.
        save: called inside an epoch with what each run that is still going has to remember; in all processes.
    """

    def __init__(self, every: float, save: Save) -> None:
        self.every, self.save = every, save
        self.saved = self.looked = monotonic()
        self.steps = self.left = 1
        self.before: torch.cuda.Event | None = None

    def due(self) -> bool:
        """Whether it is time to save."""
        return monotonic() - self.saved > self.every

    def done(self) -> None:
        """Notes that everything has just been saved."""
        self.saved = monotonic()

    def due_inside(self, device: torch.device) -> bool:
        """Whether it is time to save after this step of an epoch; looks at the clock once in many steps only."""
        self.left -= 1
        if self.left:
            return False
        if device.type == "cuda":
            if self.before:
                self.before.synchronize()
            self.before = torch.cuda.Event()
            self.before.record()
        seconds = monotonic() - self.looked
        wanted = LOOK_SECONDS * (LOOKS_APART if processes() > 1 else 1)
        # At most twice as many steps as last time, since the first ones of a run are slow.
        steps = max(1, min(2 * self.steps, int(self.steps * wanted / max(seconds, 1e-9))))
        due, self.steps = agreed((self.due(), steps))
        self.left, self.looked = self.steps, monotonic()
        return due

    def save_inside(self, step: int, seconds: float, marks: Marks) -> float:
        """Saves what the runs of a stack have to remember after a step; returns the seconds that this took.

        Args:
            step, seconds: see `Inside`.
            marks: those of all runs, (runs, examples).
        """
        began = monotonic()
        generators = gathered(states())
        self.save([Inside(step, seconds, marks.of(run), generators) for run in range(len(marks.losses))])
        self.done()
        self.looked = monotonic()
        return self.looked - began
