"""A stand-in for the engine's process: the same two pipes and an HTTP server, and faults on request, by its name.

``dies:FILE`` ends at once while FILE exists · ``mute`` never says where it listens · ``deaf`` ignores SIGTERM ·
``sick`` answers no health check.
"""

import http.server
import json
import os
import signal
import sys
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    name = ""

    def do_GET(self):
        self.answer({"status": "ok"}, 500 if "sick" in self.name else 200)

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if asked.get("crash"):
            print("boom: something native went wrong", file=sys.stderr, flush=True)
            os._exit(3)
        self.answer({"pid": os.getpid(), "key": self.headers["authorization"]}, 200)

    def answer(self, body, status):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args):
        pass


def main():
    name = sys.argv[-1]
    setup = json.loads(sys.stdin.readline())
    print("started with", sorted(setup), "and", sorted(os.environ), file=sys.stderr, flush=True)
    if name.startswith("dies:") and os.path.exists(name[5:]):
        print("no model could be loaded", file=sys.stderr, flush=True)
        sys.exit(7)
    if name == "refuses":
        print(json.dumps({"error": "out of memory"}), flush=True)
        sys.exit(1)
    if name == "mute":
        time.sleep(60)
    if name == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Handler.name = name
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(json.dumps({"listening": f"http://127.0.0.1:{server.server_port}"}), flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


main()
