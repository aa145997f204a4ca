# SPDX-License-Identifier: Apache-2.0
"""
Start a web server, ask it from this process, end it, and tell of the answers as a line of JSON.

  serving_load.py PORT SECONDS CLIENTS COMMAND...
"""

import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time

START_S, ASK_S, WARM_S = 60, 30, 2


def ask(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_S)
    try:
        connection.request("GET", "/")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def wait_for(server, port):
    end = time.monotonic() + START_S
    while True:
        if server.poll() is not None:
            sys.exit(f"the server ended by itself with {server.returncode}")
        try:
            return ask(port)
        except OSError:
            if time.monotonic() > end:
                sys.exit(f"no answer after {START_S} s")
            time.sleep(0.1)


def load(port, seconds, clients):
    """[(seconds an answer took, the answer)] of clients that each ask again when they are answered."""
    found, failed, end = [], [], time.monotonic() + seconds

    def client():
        try:
            while time.monotonic() < end:
                start = time.perf_counter()
                found.append((ask(port), time.perf_counter() - start))
        except (OSError, ValueError, http.client.HTTPException) as error:
            failed.append(error)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed or not found:
        sys.exit(f"not every request was answered: {failed[0] if failed else 'none was'}")
    return found


def tell(prefix, seconds, found):
    times = sorted(1000 * taken for _, taken in found)
    return {f"{prefix}_per_s": len(found) / seconds, f"{prefix}_ms": statistics.median(times),
            f"{prefix}_p95_ms": times[int(len(times) * 0.95)]}


def main():
    port, seconds, clients = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    with subprocess.Popen(sys.argv[4:], stdout=sys.stderr, cwd=os.path.dirname(os.path.abspath(__file__)),
                          start_new_session=True) as server:
        try:
            wait_for(server, port)
            load(port, WARM_S, clients)  # every worker has answered some
            one, many = load(port, seconds, 1), load(port, seconds, clients)
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(START_S)
    answers = {answer["pid"]: answer for answer, _ in one + many}
    print(json.dumps({**tell("one", seconds, one), **tell("many", seconds, many), "workers": len(answers),
                      "threads": sorted({answer["threads"] for answer in answers.values()}),
                      "checksums": sorted({answer["checksum"] for answer in answers.values()})}))


if __name__ == "__main__":
    main()
