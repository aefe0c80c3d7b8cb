import json
import os
import signal
import sys
import time

mode, *rest = sys.argv[1:]
print("plain line")
print("::progress 40 half way")
print("to stderr", file=sys.stderr)
if mode == "fail":
    sys.exit(3)
if mode == "hang":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("hanging")
    time.sleep(300)
received = sys.stdin.read()
if mode == "size":
    with open(os.environ["TASK_PAYLOAD_FILE"]) as file:
        print(json.dumps({"stdin": len(received), "file": len(file.read())}))
else:
    payload = os.environ["TASK_PAYLOAD"]
    print(
        f'{{"args":"{"|".join(rest)}","stdin":{received},"payload":{payload},"mine":"{os.environ["MINE"]}"}}'
    )
