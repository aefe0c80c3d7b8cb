UPDATE netscript_execution
SET token = :token, lease_until = :lease_until
WHERE seq IN (SELECT value FROM json_each(:seqs))
