"""Cost of the two forms of the network in torch: one face, one training image. python benchmarks/networks.py."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode

from illures.model.config import NetworkConfig
from illures.model.network import IlluResSfSNet
from record import record

FORMS = {
    "published": NetworkConfig("published"),
    "compact": NetworkConfig("compact", guide=True, width=24, residual_width=96),
}


def main() -> None:
    """Measure and keep the figures."""
    figures = {}
    for name, config in FORMS.items():
        network = IlluResSfSNet(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        figures[name] = {
            "gflop": _gflop(network, config),
            "parameters": sum(p.numel() for p in network.parameters()),
            "inference_ms": _median_ms(lambda n=network, c=config: _infer(n, c), 10),  # type: ignore[misc]
            "training_ms_an_image": _median_ms(lambda n=network, c=config: _step(n, c), 3) / 8,  # type: ignore[misc]
        }
        print(name, figures[name])
    record("networks", figures)


def _inputs(config: NetworkConfig, batch: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    image = torch.rand(batch, 128, 128, 3).permute(0, 3, 1, 2)
    return image, image if config.guide else None


@torch.no_grad()
def _gflop(network: IlluResSfSNet, config: NetworkConfig) -> float:
    with FlopCounterMode(display=False) as counter:
        network.eval()(*_inputs(config, 1))
    return round(counter.get_total_flops() / 1e9, 2)


@torch.inference_mode()
def _infer(network: IlluResSfSNet, config: NetworkConfig) -> None:
    network.eval()(*_inputs(config, 1))


def _step(network: IlluResSfSNet, config: NetworkConfig) -> None:
    network.train()(*_inputs(config, 8)).render().square().mean().backward()


def _median_ms(call: Callable[[], None], runs: int) -> float:
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return round(statistics.median(times[1:]), 1)


if __name__ == "__main__":
    main()
