"""The frames and ids of protocol 0.7 in a page of Python, as the conformance kit asks for them.

    node tooling/conformance/kit.mjs python3 tooling/conformance/example-program.py

Needs the package u-msgpack-python.
"""
import hashlib
import json
import struct
import sys
import zlib

import umsgpack

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58(number):
    text = ALPHABET[number % 58]
    while number >= 58:
        number //= 58
        text = ALPHABET[number % 58] + text
    return text


def unbase58(text):
    number = 0
    for character in text:
        number = number * 58 + ALPHABET.index(character)
    return number


def untag(tagged):
    kind, value = tagged["t"], tagged.get("v")
    if kind == "nil":
        return None
    if kind == "int":
        return int(value)
    if kind == "float":
        return struct.unpack("!d", bytes.fromhex(tagged["hex"]))[0]
    if kind == "bin":
        return bytes.fromhex(tagged["hex"])
    if kind == "array":
        return [untag(item) for item in value]
    if kind == "map":
        return {key_of(untag(key)): untag(item) for key, item in value}
    if kind == "ext":
        return umsgpack.Ext(tagged["type"], bytes.fromhex(tagged["hex"]))
    return value


def key_of(value):
    return tuple(key_of(item) for item in value) if isinstance(value, list) else value


def tag(value):
    if value is None:
        return {"t": "nil"}
    if isinstance(value, bool):
        return {"t": "bool", "v": value}
    if isinstance(value, int):
        return {"t": "int", "v": str(value)}
    if isinstance(value, float):
        return {"t": "float", "hex": struct.pack("!d", value).hex()}
    if isinstance(value, str):
        return {"t": "str", "v": value}
    if isinstance(value, bytes):
        return {"t": "bin", "hex": value.hex()}
    if isinstance(value, (list, tuple)):
        return {"t": "array", "v": [tag(item) for item in value]}
    if isinstance(value, dict):
        return {"t": "map", "v": [[tag(key), tag(item)] for key, item in value.items()]}
    return {"t": "ext", "type": value.type, "hex": value.data.hex()}


def encode(fields):
    body = umsgpack.packb([untag(fields[name]) for name in ("type", "sender", "time")]
                          + [untag(packet) for packet in fields["payload"]])
    block = hashlib.sha256(body).digest() + body
    return {"frame": (struct.pack("!L", len(block)) + block).hex()}


def decode(fields):
    frame = bytes.fromhex(fields["frame"])
    if len(frame) < 4 or struct.unpack("!L", frame[:4])[0] != len(frame) - 4:
        raise ValueError("the length is not that of the frame")
    block = frame[4:]
    if hashlib.sha256(block[32:]).digest() != block[:32]:
        block = zlib.decompress(block, 47)  # zlib or gzip, whichever it is
    if hashlib.sha256(block[32:]).digest() != block[:32]:
        raise ValueError("the checksum is wrong")
    values = umsgpack.unpackb(block[32:])
    if not isinstance(values, list) or len(values) < 3:
        raise ValueError("no message")
    kind, sender, time = (tag(value) for value in values[:3])
    return {"id": block[:32].hex(), "type": kind, "sender": sender, "time": time,
            "payload": [tag(packet) for packet in values[3:]]}


def network_id(fields):
    text = fields["subnet"] + fields["encryption"] + "0.7"
    return {"text": base58(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big"))}


OPERATIONS = {
    "encode": encode,
    "decode": decode,
    "base58": lambda fields: {"text": base58(int(fields["integer"]))},
    "unbase58": lambda fields: {"integer": str(unbase58(fields["text"]))},
    "network_id": network_id,
}

for line in sys.stdin:
    question = json.loads(line)
    answer = {"re": question["re"]}
    try:
        answer.update(OPERATIONS[question["op"]](question), ok=True)
    except Exception as error:
        answer.update(ok=False, error=repr(error))
    print(json.dumps(answer), flush=True)
