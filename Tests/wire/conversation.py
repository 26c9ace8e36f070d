"""Recorded conversations: Tests/wire/frozen/README.md says what they are."""

import os

FROZEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "frozen")


class Step:
    """Frames to a server on a connection of their own, and those that came back."""

    def __init__(self, name):
        self.name = name
        self.sent, self.received = [], []


class StoreCommand:
    """What happened to Redis between two steps."""

    def __init__(self, words):
        self.words = words


def read(name):
    """The steps of a conversation, in their order."""
    steps = []
    with open(os.path.join(FROZEN, name, "conversation.txt"), encoding="utf-8") as text:
        for line in text:
            mark, _, rest = line.rstrip("\n").partition(" ")
            if mark == "step":
                steps.append(Step(rest))
            elif mark == "store":
                steps.append(StoreCommand(rest.split()))
            elif mark == ">":
                steps[-1].sent.append(bytes.fromhex(rest))
            elif mark == "<":
                steps[-1].received.append(bytes.fromhex(rest))
            elif mark not in ("", "#"):
                raise ValueError(f"{line!r} is no line of a conversation")
    return steps


def contract(name):
    """The descriptors of then, encoded."""
    with open(os.path.join(FROZEN, name, "contract.binpb"), "rb") as file:
        return file.read()
