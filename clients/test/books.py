"""The books of a test's shop: a PostgreSQL and a stockworker of its own."""

import glob
import os
import signal
import socket
import subprocess

from shop import STOCKD, Shop, connects, free_port, health, wait_until
from client import Connection  # found by shop

WORKER = os.path.join(os.path.dirname(STOCKD), "stockworker")


class BookedShop(Shop):
    """A shop whose worker answers at `worker`."""

    def __init__(self):
        super().__init__()
        self.worker_port, self.postgres_port = free_port(), free_port()
        self.worker = f"127.0.0.1:{self.worker_port}"
        self.stockworker = self.postgres = None

    def open(self):
        super().open()
        self.make_cluster()
        self.start_postgres()
        self.stockworker = self.start(
            WORKER, "--redis", f"unix:{self.redis_socket}", "--listen", self.worker, "--database",
            f"postgresql://postgres@127.0.0.1:{self.postgres_port}/postgres")
        wait_until(self.worker_works, "the worker works")

    def make_cluster(self):
        """PostgreSQL does not run as root."""
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        self.programs = programs[-1] if programs else ""
        os.chmod(self.folder.name, 0o755)
        self.cluster = os.path.join(self.folder.name, "cluster")
        os.mkdir(self.cluster)
        self.as_postgres = []
        if os.geteuid() == 0:
            subprocess.run(["chown", "postgres:", self.cluster], check=True)
            self.as_postgres = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups",
                                "--pdeathsig", "KILL"]
        subprocess.run(
            [*self.as_postgres, os.path.join(self.programs, "initdb"), "-D", self.cluster, "-U", "postgres",
             "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"],
            check=True, stdout=subprocess.DEVNULL)

    def start_postgres(self):
        self.postgres = self.start(
            *self.as_postgres, os.path.join(self.programs, "postgres"), "-D", self.cluster, "-p",
            str(self.postgres_port), "-k", self.cluster, "-h", "127.0.0.1", "-c", "fsync=off")
        wait_until(lambda: connects(socket.AF_INET, ("127.0.0.1", self.postgres_port)), "PostgreSQL listens")

    def worker_works(self):
        if not connects(socket.AF_INET, ("127.0.0.1", self.worker_port)):
            return False
        with Connection(("127.0.0.1", self.worker_port)) as connection:
            reply = connection.ask("Health/Check", health.HealthCheckRequest(), health.HealthCheckReply)
            return reply.status == health.SERVING

    def stop_postgres(self):
        """It ends the connections, and goes."""
        self.postgres.send_signal(signal.SIGINT)
        self.postgres.wait(20)

    def close(self):
        if self.stockworker is not None and self.stockworker.poll() is None:
            self.stockworker.terminate()
            self.stockworker.wait(20)
        if self.postgres is not None and self.postgres.poll() is None:
            self.stop_postgres()
        super().close()
