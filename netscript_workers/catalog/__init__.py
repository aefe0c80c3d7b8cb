"""Targets by id: found in job and task directories, in the config and in the runtime directory."""
