"""Names that py2p and umsgpack expect in `collections` and Python 3.10 moved to `collections.abc`.

Python imports this module by itself at its start when its folder is in PYTHONPATH.
"""
import collections
import collections.abc

for name in ("Hashable", "Mapping", "MutableMapping", "Sequence", "Iterable", "Callable"):
    if not hasattr(collections, name):
        setattr(collections, name, getattr(collections.abc, name))
