"""JSON lines between a driver and whoever runs it: commands on stdin, answers and events on stdout.

Importing this module takes stdout away: whatever else the process prints goes to stderr.
"""
import json
import os
import sys
import threading
import time
import traceback

output = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

write_lock = threading.Lock()


class DriverError(Exception):
    """A refusal with a code."""

    def __init__(self, code, message):
        super(DriverError, self).__init__(message)
        self.code = code


def write(line):
    with write_lock:
        output.write(json.dumps(line, separators=(",", ":")) + "\n")
        output.flush()


def event(name, **fields):
    write(dict(ev=name, at=time.time(), **fields))


def answer(operations, driver, command):
    started = time.monotonic()
    operation = command.get("op")
    line = {"re": command.get("seq"), "op": operation}
    try:
        if operation not in operations:
            raise DriverError("P2P_UNKNOWN_COMMAND", "this driver has no op " + str(operation))
        fields = operations[operation](driver, command)
        line.update(ok=True, ms=round((time.monotonic() - started) * 1000, 3), **fields)
    except DriverError as error:
        line.update(ok=False, code=error.code, error=str(error))
    except Exception as error:  # whatever the driven program raises is an answer too
        traceback.print_exc()
        line.update(ok=False, code="P2P_PEER_RAISED", error=repr(error))
    write(line)


def serve(driver, operations, waiting, clean_up=lambda: None):
    """Carries out commands until stdin ends, `exit` comes, or the life limit (first argument,
    seconds) is reached; then ends the process. Those named in `waiting` run in threads of their own."""

    def end(status):
        clean_up()
        output.flush()
        # Destructors of the driven programs would try to close twice; sockets end with the process.
        os._exit(status)

    life_seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 120
    limit = threading.Timer(life_seconds, end, (3,))
    limit.daemon = True
    limit.start()
    for text in sys.stdin:
        try:
            command = json.loads(text)
            if not isinstance(command, dict):
                raise ValueError("a command is a JSON object")
        except ValueError as error:
            write({"re": None, "ok": False, "code": "P2P_BAD_COMMAND", "error": str(error)})
            continue
        if command.get("op") == "exit":
            write({"re": command.get("seq"), "op": "exit", "ok": True, "ms": 0})
            break
        if command.get("op") in waiting:
            arguments = (operations, driver, command)
            threading.Thread(target=answer, args=arguments, daemon=True).start()
        else:
            answer(operations, driver, command)
    end(0)
