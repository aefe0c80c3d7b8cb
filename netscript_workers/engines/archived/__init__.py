"""An engine whose finished executions rest in another store: a live engine and an archive behind the ports of one."""

from netscript_workers.engines.archived.engine import ArchivedEngine
from netscript_workers.engines.archived.on_demand import OnDemand

__all__ = ["ArchivedEngine", "OnDemand"]
