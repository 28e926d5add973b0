import itertools
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from illures.jobs import prefetch as module
from illures.jobs.prefetch import in_order, prefetched, threads_for


@settings(deadline=None, max_examples=40)
@given(items=st.lists(st.integers(-9, 9), max_size=20), threads=st.integers(1, 4))
def test_results_come_in_order_with_their_own_errors(items, threads):
    def inverse(number):
        time.sleep(abs(number) * 1e-4)
        return 1 / number

    with prefetched(inverse, items, threads) as result:
        for item in items:
            if item:
                assert result(item) == 1 / item
            else:
                with pytest.raises(ZeroDivisionError):
                    result(item)


def test_threads_work_at_the_same_time():
    together = threading.Barrier(3, timeout=60)  # passed by three at once, or by none
    with prefetched(lambda _: together.wait(), range(3), 3) as result:
        assert sorted(result(item) for item in range(3)) == [0, 1, 2]


def test_what_has_not_begun_at_the_end_is_dropped():
    begun = []
    with pytest.raises(KeyboardInterrupt), prefetched(begun.append, range(1000), 2) as result:
        result(0)
        raise KeyboardInterrupt
    assert 0 in begun and set(begun) <= {0, 1, 2}


@pytest.mark.parametrize(("available", "threads"), [(0, 1), (3.5 * 2**30, 3), (2**40, 4)])
def test_threads_fit_into_cores_and_memory(available, threads, monkeypatch):
    monkeypatch.setattr(module, "_available_bytes", lambda: int(available))
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: set(range(4)))
    assert threads_for(100) == threads and threads_for(1) == 1
    assert threads_for(100, 2) == min(threads, 2) and threads_for(100, 9) == threads


@pytest.mark.parametrize(("threads", "ahead"), [(1, 1), (2, 5), (4, 2)])
def test_results_of_endless_items_come_in_order_and_not_far_ahead(threads, ahead):
    read, named = [], []
    items = (read.append(k) or k for k in itertools.count())
    results = in_order(lambda k: k * k, items, threads, ahead, lambda: named.append(threading.current_thread().name))
    assert list(itertools.islice(results, 20)) == [k * k for k in range(20)]
    assert len(read) == 19 + ahead
    results.close()
    assert 0 < len(named) == len(set(named)) <= threads
    assert list(in_order(lambda k: -k, range(7), threads, ahead)) == [-k for k in range(7)]
