"""The worker's end of the channel."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from netwright.executors.wire import Lines, encode, job_to_json
from netwright.executors.worker import Connection
from netwright.testing.jobs import scripted_job


@pytest.fixture
def driver_end() -> Iterator[tuple[socket.socket, Connection]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, Connection(theirs)


def test_a_stop_sent_before_a_report_is_heard_by_it(driver_end: tuple[socket.socket, Connection]) -> None:
    driver, connection = driver_end
    assert connection.report({"epoch": 0}) == "go"
    driver.sendall(encode({"stop": True}))
    assert connection.report({"epoch": 1}) == "stop", "without waiting for the watching thread"
    assert connection.report({"epoch": 2}) == "stop"
    assert Lines().feed(driver.recv(4096)) == [{"progress": {"epoch": epoch}} for epoch in range(3)]


def test_a_stop_that_comes_with_the_job_is_kept(driver_end: tuple[socket.socket, Connection]) -> None:
    driver, connection = driver_end
    job = scripted_job(1, Path("/runs/work"), "finish")
    driver.sendall(encode(job_to_json(job)) + encode({"stop": True}))
    assert connection.receive_job() == job
    assert connection.report({}) == "stop" and connection.told_to_stop


def test_a_job_is_waited_for_until_it_is_whole(driver_end: tuple[socket.socket, Connection]) -> None:
    driver, connection = driver_end
    job = scripted_job(1, Path("/runs/work"), "finish", text="x" * 100_000)
    driver.sendall(encode(job_to_json(job)))
    assert connection.receive_job() == job
