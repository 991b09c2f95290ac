"""The only place that constructs things: from configuration and environment to a gateway that serves.

models (what can be asked) · app (the gateway and its dashboard) · control (buttons and login) · server (sockets)
"""

from .app import App, Banner
from .server import serve

__all__ = ["App", "Banner", "serve"]
