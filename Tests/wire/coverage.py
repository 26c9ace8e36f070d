"""What a whole run has seen: every method that is served, and every status that WIRE.md names."""

import os
import re

from google.protobuf import descriptor_pb2

from client import ROOT, Connection, answers, envelope
from every_method import ALL, CONTROL, IMMEDIATE, STORED, STREAMED
from stock.v1 import reflection_pb2 as reflection

# Reasons that no test here can bring about, and who does.
ELSEWHERE = {
    ("INTERNAL", "STORE_FAILED"): "a script that fails: nothing from outside makes it",
    # Of the worker, and tested on it by Tests/EndToEndTests.
    ("NOT_FOUND", "UNKNOWN_LETTER"): "the worker's",
    ("UNAVAILABLE", "BOOKS_UNREACHABLE"): "the worker's",
    ("UNAVAILABLE", "REPAIR_BUSY"): "the worker's",
    ("ABORTED", "PLAN_CHANGED"): "the worker's",
    ("FAILED_PRECONDITION", "REPAIR_REFUSED"): "the worker's",
}
# What every method of a kind must have answered at least once.
USUAL = {"OK", "INVALID_ARGUMENT"}
BUSY = {"CANCELLED", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "UNAVAILABLE"}
EXPECTED = (
    {method: USUAL | BUSY for method in STORED | STREAMED}
    | {method: USUAL | {"RESOURCE_EXHAUSTED", "UNAVAILABLE"} for method in IMMEDIATE}
    | {method: {"OK"} for method in CONTROL})


def served_methods(address):
    """The full names of what the server says it serves."""
    with Connection(address) as connection:
        described = connection.ask(
            "Reflection/Describe", reflection.DescribeRequest(), reflection.DescribeReply)
    files = descriptor_pb2.FileDescriptorSet.FromString(described.descriptors).file
    return sorted(f"{file.package}.{service.name}/{method.name}"
                  for file in files for service in file.service for method in service.method)


def documented_reasons():
    """The rows of the table of WIRE.md: (status, reason)."""
    with open(os.path.join(ROOT, "proto", "WIRE.md"), encoding="utf-8") as text:
        rows = re.findall(r"^\| ([A-Z_]+) \| ([A-Z_]+) \|", text.read(), re.MULTILINE)
    assert len(rows) > 20, "the table of statuses was not found"
    return set(rows)


def seen():
    """(method, status) and how often; (status, reason)."""
    by_status, reasons = {}, set()
    for (method, status, reason), count in answers.items():
        name = envelope.Code.Name(status).removeprefix("CODE_")
        by_status[method, name] = by_status.get((method, name), 0) + count
        if reason:
            reasons.add((name, reason))
    return by_status, reasons


def show(methods, by_status):
    statuses = [name.removeprefix("CODE_") for name in envelope.Code.keys()
                if any(status == name.removeprefix("CODE_") for _, status in by_status)]
    print("\nanswers by method and status" + " " * 12
          + " ".join(f"{status.lower()[:14]:>14}" for status in statuses))
    for method in methods:
        counts = (by_status.get((method, status), 0) for status in statuses)
        print(f"{method:40}" + " ".join(f"{count or '·':>14}" for count in counts))


def faults(address):
    """What a whole run should have seen and has not; prints the table."""
    methods = served_methods(address)
    by_status, reasons = seen()
    show(methods, by_status)
    found = []
    for method in methods:
        short = method.removeprefix("stock.v1.")
        if short not in ALL:
            found.append(f"{method} is served, and every_method.py does not know it")
        for status in sorted(EXPECTED.get(short, ())):
            if (method, status) not in by_status:
                found.append(f"{method} was never answered with {status}")
    documented = documented_reasons()
    for pair in sorted(documented - reasons - ELSEWHERE.keys()):
        found.append("%s/%s stands in WIRE.md, and no test has seen it" % pair)
    for pair in sorted(reasons - documented):
        found.append("%s/%s was answered, and does not stand in WIRE.md" % pair)
    for pair in sorted(ELSEWHERE.keys() & reasons):
        found.append("%s/%s was seen after all" % pair)
    return found
