"""Redis, PostgreSQL, stockd and stockworker for one measurement: folders and ports of their own."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

SKU = "sku-0000000000000000"
EPOCH = "0123456789abcdef.1"


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_until(what, true, seconds=30):
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise RuntimeError(f"within {seconds} s it did not come true: {what}")
        time.sleep(0.02)


class Servers:
    """What was started, ended in the opposite order.  `with` it."""

    def __init__(self, programs):
        self.programs, self.started = programs, []
        self.folder = tempfile.mkdtemp(prefix="stockstream-sale.")
        os.chmod(self.folder, 0o755)
        self.redis_port = self.redis_process = self.stock_port = self.stockd_process = None
        self.database = self.worker_process = self.postgres_folder = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        for process in reversed(self.started):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        if self.postgres_folder:
            as_postgres([postgres_program("pg_ctl"), "-D", self.postgres_folder, "-m", "immediate", "stop"])
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, name, arguments, **more):
        with open(f"{self.folder}/{name}.log", "ab") as log:
            process = subprocess.Popen(arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **more)
        self.started.append(process)
        return process.pid

    # --- Redis

    def start_redis(self, *settings, opened=True):
        """With the settings that we ship; `opened`: as if a worker had opened it to the sale."""
        self.redis_port = free_port()
        os.mkdir(f"{self.folder}/redis")
        self.redis_process = self.start("redis", [
            "redis-server", "infra/redis/redis.conf", "--port", str(self.redis_port),
            "--unixsocket", f"{self.folder}/redis.sock", "--dir", f"{self.folder}/redis",
            *settings])
        wait_until("Redis answers", lambda: self.redis("PING") == "PONG")
        if opened:
            run_id = self.info("server")["run_id"]
            self.redis("HSET", "fence", "epoch", EPOCH, "open", f"{EPOCH} {run_id}")

    def redis(self, *arguments):
        return subprocess.run(
            ["redis-cli", "-s", f"{self.folder}/redis.sock", *map(str, arguments)],
            capture_output=True, text=True, errors="replace", check=False).stdout.strip()

    def info(self, *sections):
        lines = self.redis("INFO", *sections).splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def scripts(self):
        """How often the script has run, and for how many µs."""
        line = self.info("commandstats").get("cmdstat_evalsha", "calls=0,usec=0")
        figures = dict(part.split("=") for part in line.split(","))
        return int(figures["calls"]), int(figures["usec"])

    # --- stockd

    def start_stockd(self, *settings):
        self.stock_port = free_port()
        self.stockd_process = self.start("stockd", [
            f"{self.programs}/stockd", "--listen", f"127.0.0.1:{self.stock_port}", "--shards", "1",
            "--redis", f"unix:{self.folder}/redis.sock", "--connections-per-peer-max", "10000", *settings])
        wait_until("stockd sells", lambda: self.stockctl("health").returncode == 0, 60)

    def stockctl(self, *arguments):
        return subprocess.run(
            [f"{self.programs}/stockctl", *map(str, arguments), "--address", f"127.0.0.1:{self.stock_port}"],
            capture_output=True, text=True, check=False)

    def supply(self, units=1_000_000_000, skus=1):
        """Stock of so many SKUs; more than one is imported: no reserve is the first to see its SKU."""
        if skus == 1:
            done = self.stockctl("stock", "set", SKU, units)
        else:
            with open(f"{self.folder}/stock.csv", "w", encoding="utf-8") as file:
                file.write("sku,available\n")
                file.writelines(f"sku-{number:016},{units}\n" for number in range(skus))
            done = self.stockctl("stock", "import", file.name, "--yes")
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)

    # --- the books

    def start_postgres(self):
        """As infra/postgres/README.md advises: with less, a checkpoint begins every half minute."""
        self.postgres_folder = f"{self.folder}/postgres"
        os.mkdir(self.postgres_folder)
        if os.getuid() == 0:
            shutil.chown(self.postgres_folder, "postgres")
        port = free_port()
        as_postgres([postgres_program("initdb"), "-D", self.postgres_folder, "-A", "trust", "-U", "postgres"])
        as_postgres([
            postgres_program("pg_ctl"), "-D", self.postgres_folder, "-w", "-l", f"{self.postgres_folder}/log",
            "-o", f"-p {port} -k {self.postgres_folder} -c listen_addresses=127.0.0.1 -c max_connections=200"
            " -c shared_buffers=512MB -c max_wal_size=4GB",
            "start"])
        self.database = f"postgresql://postgres@127.0.0.1:{port}/postgres"

    def sql(self, text):
        return subprocess.run(
            ["psql", "-X", "-q", "-A", "-t", "-d", self.database, "-c", text], capture_output=True, text=True,
            check=True).stdout.strip()

    def postgres_cpu(self):
        """Seconds that PostgreSQL has taken, all its processes together."""
        with open(f"{self.postgres_folder}/postmaster.pid", encoding="utf-8") as file:
            first = int(file.readline())
        with open(f"/proc/{first}/task/{first}/children", encoding="utf-8") as file:
            return cpu(first) + sum(cpu(child) for child in file.read().split())

    def start_shop(self):
        """Everything, as infra/run.sh does: the worker opens Redis to the sale."""
        self.start_postgres()
        self.start_redis(opened=False)
        self.start_worker()
        self.start_stockd()
        self.supply()

    def start_worker(self):
        self.worker_process = self.start("worker", [
            f"{self.programs}/stockworker", "--redis", f"unix:{self.folder}/redis.sock",
            "--database", self.database, "--name", "bench", "--listen", f"127.0.0.1:{free_port()}"])
        wait_until("the worker reads", lambda: "ready" in open(f"{self.folder}/worker.log").read())


def cpu(process):
    """Seconds of one process, and of its children that have ended."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def postgres_program(name):
    folders = sorted(os.listdir("/usr/lib/postgresql"), key=int)
    return f"/usr/lib/postgresql/{folders[-1]}/bin/{name}"


def as_postgres(arguments):
    """initdb and postgres refuse root."""
    first = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
    done = subprocess.run(
        (first if os.getuid() == 0 else []) + arguments, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{arguments[0]}: {done.stdout}{done.stderr}")


def measured(program, **settings):
    """Runs one of the C programs here, and returns what it says."""
    arguments = [program] + [f"{name}={value}" for name, value in settings.items()]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {done.stderr}")
    return json.loads(done.stdout)
