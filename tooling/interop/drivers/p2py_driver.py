"""Drives one p2py 0.23 node by JSON lines: commands on stdin, answers and events on stdout.

Operations: listen p2py_join p2py_send p2py_book p2py_request p2py_handle p2py_leave status peers ping
close exit. It ends
when stdin does, and in any case after its life limit (first argument, seconds).

p2py asks a public web site for the host when it is given none, so `host` always has a value here.
It writes its logs into the working directory, so it gets one of its own.
"""
import os
import shutil
import socket
import tempfile
import threading
import time

# First, because it takes stdout away from what is imported next.
from driver_lines import DriverError, event, serve
from tagged_values import from_tagged, to_pickle_tagged

folder = tempfile.mkdtemp(prefix="p2py-")
os.makedirs(os.path.join(folder, "p2py-logs"))
os.chdir(folder)

from p2py.p2p import P2P_Node, Request  # noqa: E402


class ReportingNode(P2P_Node):
    """Turns p2py's own hooks into events."""

    def event_joined_network(self):
        with driver.changed:
            driver.changed.notify_all()
        event("joined", uuid=self.UUID, network_size=self.network_size)

    def handle_new_peer(self, connection, message):
        super().handle_new_peer(connection, message)
        event("network_size", network_size=self.network_size)

    def event_new_peer_added_to_peer_book(self, address, uuid):
        event("peer_join", id=str(uuid), address="tcp://{}:{}".format(*address))

    def event_peer_left_network(self, uuid):
        event("peer_leave", id=str(uuid), reason="left the network")

    def handle_text_message(self, connection, message):
        event(
            "text",
            **{"from": list(connection.connection_address)},
            data=to_pickle_tagged(message.get("data")),
        )


class Driver(object):
    def __init__(self):
        self.node = None
        self.changed = threading.Condition()

    def listen(self, command):
        if command.get("kind", "p2py") != "p2py":
            raise DriverError("P2P_UNSUPPORTED_KIND", "p2py has no kind " + str(command["kind"]))
        host, port = command.get("host", "127.0.0.1"), int(command.get("port", 0))
        port = port or free_port(host)
        self.node = ReportingNode(port=port, host=host, mute_logger=True)
        self.node.start()
        wait_until_listening(host, port)
        return {
            "id": "",
            "port": port,
            "addresses": ["tcp://{}:{}".format(host, port)],
            "protocol": "p2py",
            "compression": [],
            "version": "p2py 0.23",
        }

    def join(self, command):
        host, port = command["address"]
        self.node.join_network([(host, int(port))])
        with self.changed:
            if not self.changed.wait_for(lambda: self.node.UUID is not None, 15):
                raise DriverError("P2P_JOIN_TIMEOUT", "nobody let us in")
        return {"uuid": self.node.UUID, "network_size": self.node.network_size}

    def send(self, command):
        message = message_of(command)
        if command.get("uuid") is not None:
            self.node.send_to_UUID(command["uuid"], message)
        else:
            self.node.send_to_address(address_of(command), message)
        return {}

    def request(self, command):
        message = message_of(command)
        if command.get("uuid") is not None:
            response = self.node.request(message, UUID=command["uuid"])
        else:
            response = self.node.request(message, address=address_of(command))
        return {"response": to_pickle_tagged(response)}

    def handle(self, command):
        kind, reply = command["type"], command.get("reply", "echo")

        def answer(connection, request):
            if not isinstance(request, Request):
                sender = list(connection.connection_address)
                data = to_pickle_tagged(request.get("data"))
                event("message", **{"from": sender}, type=kind, data=data)
                return
            data = request.contents.get("data")
            if reply.startswith("bounce:"):
                request.bounce(UUID=int(reply.partition(":")[2]))
            elif reply == "add_one":
                request.respond({"type": kind, "data": data + 1})
            else:
                request.respond({"type": kind, "data": data})

        self.node.add_handler(kind, answer)
        return {}

    def book(self, command):
        self.node.send_to_peer_book(message_of(command), command.get("exclude", []))
        return {}

    def leave(self, _):
        self.node.close_all_connections()
        return {}

    def status(self, _):
        peers = [
            {
                "id": str(uuid),
                "address": "tcp://{}:{}".format(*connection.connection_address),
                "outgoing": False,
                "old": True,
            }
            for uuid, connection in list(self.node.peer_book.items())
        ]
        report = {"uuid": self.node.UUID, "network_size": self.node.network_size}
        return {"status": "Nominal", "peers": peers, "report": report}

    def peers(self, _):
        return {"peers": [str(uuid) for uuid in list(self.node.peer_book)], "awaiting": 0}

    def ping(self, _):
        return {}

    def close(self, _):
        self.node.running = False
        self.node.close_all_connections()
        return {"handles": 0}


def message_of(command):
    message = command["message"]
    return {"type": from_tagged(message["type"]), "data": from_tagged(message.get("data"))}


def address_of(command):
    host, port = command["address"]
    return (host, int(port))


def free_port(host):
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def wait_until_listening(host, port):
    """p2py listens in a thread of its own and tells nobody when it does: ask the system for a socket
    in the listening state, because a trial connection would upset its accepting thread."""
    deadline = time.monotonic() + 10
    wanted = "{:04X}".format(port)
    while time.monotonic() < deadline:
        try:
            with open("/proc/net/tcp") as table:
                for row in table:
                    fields = row.split()
                    if fields[1].endswith(":" + wanted) and fields[3] == "0A":
                        return
        except OSError:  # no such table on this system: give the thread its time
            time.sleep(0.5)
            return
        time.sleep(0.005)
    raise DriverError("P2P_LISTEN_FAILED", "p2py does not listen on {}:{}".format(host, port))


OPERATIONS = {
    "listen": Driver.listen,
    "p2py_join": Driver.join,
    "p2py_send": Driver.send,
    "p2py_book": Driver.book,
    "p2py_request": Driver.request,
    "p2py_handle": Driver.handle,
    "p2py_leave": Driver.leave,
    "status": Driver.status,
    "peers": Driver.peers,
    "ping": Driver.ping,
    "close": Driver.close,
}
WAITING = ("p2py_join", "p2py_send", "p2py_book", "p2py_request", "p2py_leave", "close")

driver = Driver()

if __name__ == "__main__":
    serve(driver, OPERATIONS, WAITING, lambda: shutil.rmtree(folder, ignore_errors=True))
