"""The embedded queue: a SQLite file in the layout of Deno KV."""
