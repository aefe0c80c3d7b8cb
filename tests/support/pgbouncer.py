"""A private PgBouncer in transaction mode before a private PostgreSQL."""

import os
import pwd
import subprocess

from support.server_kinds import PostgresServer
from support.servers import PrivateServer, exchange
from support.services import program


class PgBouncer(PrivateServer):
    """Hands each transaction to whichever of its few server connections is free."""

    name = "pgbouncer"

    def __init__(self, behind: PostgresServer) -> None:
        self._program = program("pgbouncer", "apt-get install pgbouncer")
        self._user = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        super().__init__()
        if self._user:
            record = pwd.getpwnam(self._user)
            os.chown(self.run_directory, record.pw_uid, record.pw_gid)
        self._configuration = self.directory / "pgbouncer.ini"
        self._configuration.write_text(
            f"[databases]\npostgres = host=127.0.0.1 port={behind.port} user=postgres\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nauth_type = any\n"
            "pool_mode = transaction\ndefault_pool_size = 6\nmax_client_conn = 200\nunix_socket_dir =\n"
        )

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _launch(self) -> subprocess.Popen[bytes]:
        return self._spawn(self._program, str(self._configuration), user=self._user)

    def _answers(self) -> bool:
        return exchange(self.port, b"\x00\x00\x00\x08\x04\xd2\x16\x2f", 1) in {b"N", b"S"}  # may we have TLS?
