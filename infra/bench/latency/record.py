"""Stands between stockd and Redis and keeps what stockd says: record.py LISTEN REDIS FOLDER

Each connection's bytes go to FOLDER/NUMBER; the one with the most scripts is the batch's.
"""

import os
import socket
import sys
import threading

listen, redis, folder = sys.argv[1:]


def pump(source, sink, keep):
    while data := source.recv(1 << 16):
        if keep:
            keep.write(data)
            keep.flush()
        sink.sendall(data)
    sink.shutdown(socket.SHUT_RDWR)


listener = socket.socket(socket.AF_UNIX)
listener.bind(listen)
listener.listen()
number = 0
while True:
    client, _ = listener.accept()
    server = socket.socket(socket.AF_UNIX)
    server.connect(redis)
    keep = open(os.path.join(folder, str(number)), "wb")  # pylint: disable=consider-using-with
    number += 1
    threading.Thread(target=pump, args=(client, server, keep), daemon=True).start()
    threading.Thread(target=pump, args=(server, client, None), daemon=True).start()
