-- As Deno does it: encoding 1 is a V8 value, expiration -1 never.
INSERT INTO kv (k, v, v_encoding, version, expiration_ms) VALUES (:key, :data, 1, :version, -1)
ON CONFLICT (k) DO UPDATE SET v = :data, v_encoding = 1, version = :version, expiration_ms = -1
