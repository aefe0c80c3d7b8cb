"""Targets by id: what the modules of a project and its configuration define, laid over one another."""

from netscript_workers.catalog.checking import check_entrypoints
from netscript_workers.catalog.live import LiveCatalog
from netscript_workers.catalog.overlaying import overlay
from netscript_workers.catalog.scanning import scan
from netscript_workers.catalog.sources import CatalogSources
from netscript_workers.catalog.targets import Catalog

__all__ = ["Catalog", "CatalogSources", "LiveCatalog", "check_entrypoints", "overlay", "scan"]
