"""Enqueuing from any Python program: `Client`, and its twin for programs without an event loop, `SyncClient`."""

from netscript_workers.client.asynchronous import Client
from netscript_workers.client.requests import Trigger
from netscript_workers.client.synchronous import SyncClient

__all__ = ["Client", "SyncClient", "Trigger"]
