"""Drives one py2p 0.7.870 node by JSON lines: commands on stdin, answers and events on stdout.

Operations: listen connect disconnect send whisper sendto reply request_peers set del get pop delta
keys items join unjoin status peers ping close exit. It ends when stdin does, and in any case after
its life limit (first argument, seconds). What py2p prints goes to stderr.

py2p runs its own network thread, so the table of peers is watched by a dict that reports changes:
py2p itself tells neither that a handshake arrived nor that a peer is gone.
"""
import collections
import collections.abc
import socket
import threading
import time

# First, because it takes stdout away from what is imported next.
from driver_lines import DriverError, event, serve
from tagged_values import arguments_of, from_tagged, to_tagged

# Names that old py2p and umsgpack expect and Python 3.10 moved away.
for name in ("Hashable", "Mapping", "MutableMapping", "Sequence", "Iterable", "Callable"):
    if not hasattr(collections, name):
        setattr(collections, name, getattr(collections.abc, name))



class ReusingSocket(socket.socket):
    """Binds to a port whose last listener was killed a moment ago, which py2p's own sockets may not."""

    def bind(self, address):
        self.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        super(ReusingSocket, self).bind(address)


socket.socket = ReusingSocket

import py2p  # noqa: E402
from py2p import base, chord, flags, mesh, messages, sync  # noqa: E402

last_sent = threading.local()
SCHEMES = {"Plaintext": "tcp", "SSL": "tls"}
encryption = "Plaintext"


def text_of(identity):
    if isinstance(identity, (bytes, bytearray)):
        return bytes(identity).decode("utf-8", "replace")
    return None if identity is None else str(identity)


def url_of(address):
    if not address or address[0] is None or address[1] is None:
        return None
    return "{}://{}:{}".format(SCHEMES[encryption], text_of(address[0]), int(address[1]))


def use_seeds(addresses, protocol):
    """These seeds, and no others, in place of the file that py2p ships and writes."""
    seeds = {index: split_address(address) for index, address in enumerate(addresses)}
    py2p._get_database = lambda: {protocol.encryption: seeds}
    py2p._set_database = lambda *_: None


class WatchedTable(dict):
    """A routing table that reports who joins (handshake read) and who leaves."""

    def __init__(self):
        super(WatchedTable, self).__init__()
        self.changed = threading.Condition()
        self.joined = {}

    def update(self, *args, **kwargs):
        super(WatchedTable, self).update(*args, **kwargs)
        for identity, connection in list(self.items()):
            # A peer dialled under a known id is entered before its handshake; it has no address yet.
            if connection.addr is None or connection in self.joined:
                continue
            with self.changed:
                self.joined[connection] = text_of(identity)
                self.changed.notify_all()
            event("peer_join", id=text_of(identity), address=url_of(connection.addr))

    def pop(self, identity, *default):
        connection = super(WatchedTable, self).pop(identity, *default)
        with self.changed:
            known = self.joined.pop(connection, None)
            self.changed.notify_all()
        if known is not None:
            event("peer_leave", id=known, reason="link closed")
        return connection


class Driver(object):
    def __init__(self):
        self.node = None
        self.kind = None
        self.received = collections.OrderedDict()  # message id in hex -> message; the newest 1,000

    # -- life ---------------------------------------------------------------------------------

    def listen(self, command):
        self.kind = command.get("kind", "mesh")
        addresses = command.get("listen") or []
        if isinstance(addresses, str):
            addresses = [addresses]
        host, port = command.get("host", "127.0.0.1"), int(command.get("port", 0))
        if addresses:
            host, port = split_address(addresses[0])
        port = port or free_port(host)
        if command.get("compression") is not None:
            wanted = command["compression"]
            messages.compression[:] = [m for m in messages.compression if m in wanted]
        protocol = base.Protocol(command.get("subnet", self.kind), use_encryption(command))
        out_addr = tuple(command["out_addr"]) if command.get("out_addr") else None
        sockets = {"mesh": mesh.MeshSocket, "sync": sync.SyncSocket, "chord": chord.ChordSocket}
        if self.kind not in sockets:
            raise DriverError("P2P_UNSUPPORTED_KIND", "py2p has no kind " + str(self.kind))
        extra = {"leasing": bool(command.get("leasing", True))} if self.kind == "sync" else {}
        if command.get("seeds"):
            use_seeds(command["seeds"], protocol)
            extra = dict(extra, out_addr=out_addr)
            node = py2p.bootstrap(sockets[self.kind], protocol, host, port, **extra)
        else:
            node = sockets[self.kind](host, port, protocol, out_addr, **extra)
        node.routing_table = WatchedTable()
        self.node = node
        node.on("connect", lambda *_: event("connect"))
        node.on("message", lambda *_: self.take_messages())
        node.on("update", self.on_update)
        node.on("delete", lambda _, key: event("delete", key=to_tagged(key)))
        node.on("add", lambda _, key: event("add", key=to_tagged(key)))
        return {
            "id": text_of(node.id),
            "port": port,
            "addresses": [url_of((host, port))],
            "protocol": text_of(node.protocol.id),
            "compression": list(messages.compression),
            "version": "py2p " + py2p.__version__,
        }

    def close(self, _):
        node, self.node = self.node, None
        if node is not None:
            node.close()
        return {"handles": 0}

    # -- peers --------------------------------------------------------------------------------

    def connect(self, command):
        table = self.need_node().routing_table
        if command.get("address"):
            host, port = split_address(command["address"])
        else:
            host, port = command["host"], int(command["port"])
        deadline = time.monotonic() + command.get("timeoutMs", 5000) / 1000
        where = "{}:{}".format(host, port)
        try:
            self.node.connect(host, port)
        except ConnectionRefusedError as error:
            raise DriverError("P2P_CONNECTION_REFUSED", str(error))
        except OSError as error:
            raise DriverError("P2P_DIAL_FAILED", str(error))
        with table.changed:
            while True:
                for connection, identity in table.joined.items():
                    if reaches(connection, host, port):
                        return {"peer": identity}
                left = deadline - time.monotonic()
                if left <= 0:
                    raise DriverError("P2P_HANDSHAKE_TIMEOUT", "no handshake from " + where)
                table.changed.wait(left)

    def disconnect(self, command):
        self.node.disconnect(self.find_peer(command["peer"]))
        return {}

    def peers(self, _):
        node = self.need_node()
        identities = [text_of(identity) for identity in node.routing_table.keys()]
        return {"peers": identities, "awaiting": len(node.awaiting_ids)}

    def status(self, _):
        node = self.need_node()
        peers = [
            {
                "id": text_of(identity),
                "address": url_of(connection.addr),
                "outgoing": bool(connection.outgoing),
                "old": True,
            }
            for identity, connection in list(node.routing_table.items())
        ]
        return {"status": node.status, "peers": peers, "report": {}}

    # -- messages -----------------------------------------------------------------------------

    def send(self, command):
        last_sent.message = None
        self.need_node().send(*arguments_of(command.get("args")))
        return sent_id()

    def whisper(self, command):
        last_sent.message = None
        connection = self.find_peer(command["peer"])
        connection.send(flags.whisper, flags.whisper, *arguments_of(command.get("args")))
        return sent_id()

    def reply(self, command):
        wanted = command.get("to") or next(reversed(self.received), None)
        message = self.received.get(wanted)
        if message is None:
            raise DriverError("P2P_UNKNOWN_MESSAGE", "no message to reply to")
        message.reply(*arguments_of(command.get("args")))
        return {}

    def request_peers(self, _):
        self.need_node().request_peers()
        return {}

    def take_messages(self):
        while True:
            message = self.node.recv()
            if message is None:
                return
            identity = message.id.hex()
            self.received[identity] = message
            while len(self.received) > 1000:
                self.received.popitem(last=False)
            event(
                "message",
                id=identity,
                sender=to_tagged(message.sender),
                time=to_tagged(message.time),
                packets=to_tagged(message.packets),
            )

    # -- dictionary and hash table ------------------------------------------------------------

    def set(self, command):
        self.need_node().set(from_tagged(command["key"]), from_tagged(command["value"]))
        return {}

    def delete(self, command):
        del self.need_node()[from_tagged(command["key"])]
        return {}

    def get(self, command):
        key, fallback = from_tagged(command["key"]), from_tagged(command.get("fallback"))
        if self.kind == "chord":
            wait = command.get("wait", 10)
            return {"value": to_tagged(self.need_node().getSync(key, fallback, wait))}
        return {"value": to_tagged(self.need_node().get(key, fallback))}

    def pop(self, command):
        key, fallback = from_tagged(command["key"]), from_tagged(command.get("fallback"))
        return {"value": to_tagged(self.need_node().pop(key, fallback))}

    def delta(self, command):
        key, delta = from_tagged(command["key"]), from_tagged(command["delta"])
        result = self.need_node().apply_delta(key, delta)
        return {"value": to_tagged(result.get())} if self.kind == "chord" else {}

    def keys(self, _):
        return {"keys": [to_tagged(key) for key in list(self.need_node().keys())]}

    def items(self, _):
        node = self.need_node()
        if self.kind == "chord":
            pairs = [(key, node.getSync(key)) for key in list(node.keys())]
            return {"items": [[to_tagged(key), to_tagged(value)] for key, value in pairs]}
        meta = [
            [to_tagged(key), to_tagged(entry.owner), to_tagged(entry.timestamp)]
            for key, entry in list(node.metadata.items())
        ]
        pairs = [[to_tagged(key), to_tagged(value)] for key, value in list(node.data.items())]
        return {"items": pairs, "meta": meta}

    def on_update(self, _, key, value, meta):
        event(
            "update",
            key=to_tagged(key),
            value=to_tagged(value),
            owner=to_tagged(meta.owner),
            timestamp=to_tagged(meta.timestamp),
        )

    def join(self, _):
        self.need_node().join()
        return {}

    def unjoin(self, _):
        self.need_node().unjoin()
        return {}

    # -- plumbing -----------------------------------------------------------------------------

    def ping(self, _):
        return {}

    def need_node(self):
        if self.node is None:
            raise DriverError("P2P_NOT_LISTENING", "the first command must be listen")
        return self.node

    def find_peer(self, identity):
        for known, connection in list(self.need_node().routing_table.items()):
            if text_of(known) == identity:
                return connection
        raise DriverError("P2P_NOT_CONNECTED", "no neighbour " + str(identity))


def record_sent(send):
    def recording(self, *args, **kwargs):
        message = send(self, *args, **kwargs)
        if message:
            last_sent.message = message
        return message

    return recording


mesh.MeshConnection.send = record_sent(mesh.MeshConnection.send)


def watch_storing(connection_class):
    """Reports when a chord neighbour says that it stores, or no longer does."""
    slot = connection_class.__dict__.get("leeching")

    def read(self):
        return slot.__get__(self) if slot else self.__dict__.get("leeching", True)

    def write_and_report(self, leeching):
        if slot:
            slot.__set__(self, leeching)
        else:
            self.__dict__["leeching"] = leeching
        if self.id is not None:
            event("peer_meta", id=text_of(self.id), storing=not leeching)

    connection_class.leeching = property(read, write_and_report)


watch_storing(chord.ChordConnection)


def sent_id():
    message = getattr(last_sent, "message", None)
    return {"id": message.id.hex() if message else None}


def use_encryption(command):
    """One process has one node, so what its links run over is the same for all of them."""
    global encryption
    encryption = command.get("encryption", "Plaintext")
    if encryption not in SCHEMES:
        raise DriverError("P2P_UNSUPPORTED_ADDRESS", "py2p has no " + encryption)
    if encryption == "SSL":
        try:
            from py2p import ssl_wrapper  # noqa: F401
        except ImportError as error:
            raise DriverError("P2P_NO_TRANSPORT", "py2p has no SSL here: " + str(error))
    return encryption


def split_address(address):
    scheme, _, rest = address.partition("://")
    if scheme not in SCHEMES.values():
        raise DriverError("P2P_UNSUPPORTED_ADDRESS", "py2p cannot use " + address)
    host, _, port = rest.rpartition(":")
    return host, int(port)


def free_port(host):
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def reaches(connection, host, port):
    """Whether the link goes to this address: dialled there, or from a peer that listens there."""
    if connection.addr and text_of(connection.addr[0]) == host and connection.addr[1] == port:
        return True
    try:
        return connection.outgoing and connection.sock.getpeername()[:2] == (host, port)
    except OSError:
        return False


OPERATIONS = {
    "listen": Driver.listen,
    "connect": Driver.connect,
    "disconnect": Driver.disconnect,
    "send": Driver.send,
    "whisper": Driver.whisper,
    "reply": Driver.reply,
    "request_peers": Driver.request_peers,
    "set": Driver.set,
    "del": Driver.delete,
    "get": Driver.get,
    "pop": Driver.pop,
    "delta": Driver.delta,
    "keys": Driver.keys,
    "items": Driver.items,
    "join": Driver.join,
    "unjoin": Driver.unjoin,
    "status": Driver.status,
    "peers": Driver.peers,
    "ping": Driver.ping,
    "close": Driver.close,
}
# Operations that may wait for the network; each runs in a thread of its own.
WAITING = ("connect", "get", "pop", "delta", "items")


if __name__ == "__main__":
    serve(Driver(), OPERATIONS, WAITING)
