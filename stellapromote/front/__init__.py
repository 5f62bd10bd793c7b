"""The layer between the server and Django (docs/adr/0168): the event loop takes bodies in, threads run the product.

A client that sends slowly costs a place in memory, never a thread. Pure: no Django.
"""

from stellapromote.front.front import Front

__all__ = ["Front"]
