-- Those that the archive has let go of, and those that left this file since.
DELETE FROM netscript_restored
WHERE queue = :queue AND (
  id IN (SELECT value FROM json_each(:ids))
  OR NOT EXISTS (SELECT 1 FROM netscript_execution AS e WHERE e.id = netscript_restored.id AND +e.queue = :queue)
)
