#!lua
-- Store new executions. GIVEN: {id, target, topic, priority, delay_ms, max_attempts, triggered_by, correlation_id,
-- idempotency_key} for each; ARGV[2 + n] is what never changes of the n-th. Returns {n, id it stands for, ...} for those refused.
return store_new(GIVEN, function(n)
  return ARGV[2 + n]
end)
