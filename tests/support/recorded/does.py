"""Reads, writes, starts a program, asks a server through the proxy, looks at its environment; fails without any of them."""

import os
import subprocess
import urllib.request

with open("data/in.txt") as file:
    text = file.read()
with open("out/new.txt", "w") as file:
    file.write(text)
subprocess.run(["gzip", "--version"], check=True, stdout=subprocess.DEVNULL)
urllib.request.urlopen(f"http://localhost:{os.environ['TASK_PORT']}/", timeout=20).read()
print(len(os.environ["GRANTED"]))
