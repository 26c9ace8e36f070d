"""What a proxy sees of deadlines, and does about them."""

import queue
import time

from proxy import CutReply, Fault, frame


class Calls(CutReply):
    """Keeps every call of some methods, and when it passed, in milliseconds since 1970; the first reply is
    lost."""

    def __init__(self):
        super().__init__(1)
        self.seen = []

    def request(self, link, request):
        if request.method in self.struck:
            self.seen.append((time.time() * 1000, request))
        return [frame(request)]


class Late(Fault):
    """Keeps reserves until `deliver`, as a network does that delivers what nobody waits for any more."""

    def __init__(self):
        super().__init__()
        self.kept, self.answers = [], queue.Queue()

    def request(self, link, request):
        if request.method not in self.struck:
            return [frame(request)]
        self.kept.append((link, frame(request)))
        return []

    def response(self, link, response, method):
        if method in self.struck:
            self.answers.put(response)
        return [frame(response)]

    def deliver(self):
        """Lets them go on, and waits for the answers."""
        for link, data in self.kept:
            link.server.sendall(data)
        return [self.answers.get(timeout=20) for _ in self.kept]
