UPDATE data_version SET version = version + :step WHERE k = 0 RETURNING version
