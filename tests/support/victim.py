"""A process that a hostile run would like to reach: it holds a secret and listens on every kind of socket, till stdin ends."""

import json
import socket
import sys


def main():
    place, readable, abstract = sys.argv[1:]
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    paths = [socket.socket(socket.AF_UNIX) for _ in range(2)]
    for path, name in zip(paths, (place, readable), strict=True):
        path.bind(name)
        path.listen()
    hidden = socket.socket(socket.AF_UNIX)
    hidden.bind("\0" + abstract)
    hidden.listen()
    sys.stdout.write(json.dumps({"tcp": tcp.getsockname()[1], "udp": udp.getsockname()[1]}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
