-- After a boot the old leases mean nothing: their workers are gone.
UPDATE netscript_execution SET lease_until = -1 WHERE status = 'running'
