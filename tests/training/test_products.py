"""Products of perceptrons against float64, by either library, large and small, for one run and for several."""

import pytest
import torch

from shatterlab.training import products
from shatterlab.training.products import LARGE, accelerate, backward, forward


@pytest.mark.parametrize("onednn", [False, True])
@pytest.mark.parametrize(
    ("runs", "out", "inputs", "batch"), [(1, 5, 7, 3), (3, 5, 7, 3), (1, 300, 210, 40), (3, 300, 210, 40)]
)
def test_products_equal_those_in_float64(
    monkeypatch, onednn: bool, runs: int, out: int, inputs: int, batch: int
) -> None:
    monkeypatch.setattr(products, "onednn_is_faster", lambda: onednn)
    assert (2 * out * inputs * batch >= LARGE) == (out == 300)
    torch.manual_seed(0)
    weight, bias = torch.randn(runs, out, inputs), torch.randn(runs, out)
    seen = torch.randn(runs, batch, inputs).transpose(1, 2)  # as images come
    gradient, velocity = torch.randn(runs, out, batch), torch.randn(runs, out, inputs)
    exact = [part.double() for part in (weight, bias, seen, gradient, velocity)]
    close = {"rtol": 1e-4, "atol": 1e-4, "check_dtype": False}
    made = forward(weight, bias, seen)
    assert made.is_contiguous()
    torch.testing.assert_close(made, exact[0] @ exact[2] + exact[1][..., None], **close)
    torch.testing.assert_close(backward(weight, gradient), exact[0].transpose(1, 2) @ exact[3], **close)
    accelerate(velocity, 0.9, gradient, seen)
    torch.testing.assert_close(velocity, 0.9 * exact[4] + exact[3] @ exact[2].transpose(1, 2), **close)


def test_rounded_operands_add_to_a_float32_velocity() -> None:
    torch.manual_seed(0)
    for runs in (1, 2):
        gradient, inputs = torch.randn(runs, 5, 3).bfloat16(), torch.randn(runs, 7, 3).bfloat16()
        velocity = torch.ones(runs, 5, 7)
        accelerate(velocity, 0.5, gradient, inputs)
        assert velocity.dtype == torch.float32
        exact = 0.5 + gradient.float() @ inputs.float().transpose(1, 2)
        torch.testing.assert_close(velocity, exact, rtol=0.02, atol=0.02)
