"""Whether the model hub can be asked at all."""

import socket
from functools import cache
from urllib.parse import urlsplit
from urllib.request import getproxies

from huggingface_hub import constants

SECONDS = 3.0


@cache
def is_reachable() -> bool:
    """Try the hub's address once: its own client takes 20 s to give up, per model."""
    if constants.HF_HUB_OFFLINE:
        return False
    if getproxies():
        return True  # the client goes another way than we could try
    place = urlsplit(constants.ENDPOINT)
    try:
        usual = 80 if place.scheme == "http" else 443
        address = (place.hostname or "", place.port or usual)
        socket.create_connection(address, timeout=SECONDS).close()
    except OSError:
        return False
    return True


def attempts() -> tuple[bool, ...]:
    """Return the values of ``local_files_only`` to try: the cache comes first."""
    return (True, False) if is_reachable() else (True,)
