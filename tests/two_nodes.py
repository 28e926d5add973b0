"""A Ray cluster of two nodes on this machine."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# Ray's 15 would starve workers where the machine is busy.
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112


@contextmanager
def two_nodes() -> Iterator[Any]:
    """Two nodes with a CPU each, whose workers can import what stands beside this file."""
    from ray.cluster_utils import Cluster

    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parent), before)))
    logging.getLogger("ray").setLevel(logging.ERROR)
    options = {"include_dashboard": False, "object_store_memory": 80 << 20}
    for tries_left in (2, 1, 0):
        try:
            cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **options})
            break
        except Exception:  # Ray gives a node 30 s to start, which a busy machine may not keep
            if not tries_left:
                raise
    try:
        cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
        os.environ["PYTHONPATH"] = before
        yield cluster
    finally:
        os.environ["PYTHONPATH"] = before
        cluster.shutdown()
