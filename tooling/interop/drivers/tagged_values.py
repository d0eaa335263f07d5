"""Tagged values: msgpack values as JSON that tells str from bin and int from float.

{"t": "nil"}, {"t": "bool", "v": true}, {"t": "int", "v": "5"}, {"t": "float", "hex": 8 bytes},
{"t": "str", "v": text}, {"t": "bin", "hex": bytes}, {"t": "array", "v": [...]},
{"t": "map", "v": [[key, value], ...]}; str, bin and array also as {"repeat": ..., "count": n}.
A plain JSON value is taken for what it looks like.
"""
import struct


def to_tagged(value):
    if value is None:
        return {"t": "nil"}
    if isinstance(value, bool):
        return {"t": "bool", "v": value}
    if isinstance(value, int):
        return {"t": "int", "v": str(value)}
    if isinstance(value, float):
        return {"t": "float", "hex": struct.pack(">d", value).hex()}
    if isinstance(value, str):
        return {"t": "str", "v": value}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"t": "bin", "hex": bytes(value).hex()}
    if isinstance(value, (list, tuple)):
        return {"t": "array", "v": [to_tagged(item) for item in value]}
    if isinstance(value, dict):
        pairs = [[to_tagged(key), to_tagged(item)] for key, item in value.items()]
        return {"t": "map", "v": pairs}
    return {"t": "object", "js": repr(value)}


def from_tagged(tagged):
    if not (isinstance(tagged, dict) and isinstance(tagged.get("t"), str)):
        return tagged
    kind = tagged["t"]
    if kind in ("nil", "none", "undefined"):
        return None
    if kind == "bool":
        return bool(tagged["v"])
    if kind == "int":
        return int(tagged["v"])
    if kind == "float":
        return struct.unpack(">d", bytes.fromhex(tagged["hex"]))[0]
    if kind == "str":
        return tagged["v"] if "v" in tagged else tagged["repeat"] * tagged["count"]
    if kind in ("bin", "bytes"):
        if "hex" in tagged:
            return bytes.fromhex(tagged["hex"])
        return bytes.fromhex(tagged["repeat"]) * tagged["count"]
    if kind == "tuple":
        return tuple(from_tagged(item) for item in tagged["v"])
    if kind in ("array", "list"):
        if "v" in tagged:
            return [from_tagged(item) for item in tagged["v"]]
        return [from_tagged(tagged["repeat"])] * tagged["count"]
    if kind in ("map", "dict"):
        return {from_tagged(key): from_tagged(item) for key, item in tagged["v"]}
    raise ValueError("unknown tag " + kind)


def to_pickle_tagged(value):
    """As to_tagged, with the types that pickles tell apart."""
    if value is None:
        return {"t": "none"}
    if isinstance(value, (bytes, bytearray)):
        return {"t": type(value).__name__, "hex": bytes(value).hex()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return {"t": type(value).__name__, "v": [to_pickle_tagged(item) for item in value]}
    if isinstance(value, dict):
        pairs = [[to_pickle_tagged(k), to_pickle_tagged(v)] for k, v in value.items()]
        return {"t": "dict", "v": pairs}
    return to_tagged(value)


def arguments_of(args):
    """The packets of a command: a list of tagged values, or one tagged array."""
    if isinstance(args, dict):
        return from_tagged(args)
    return [from_tagged(item) for item in args or []]
