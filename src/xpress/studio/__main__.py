"""Open the studio: `xpress-studio`, or `python -m xpress.studio`."""

from __future__ import annotations

import argparse
import ipaddress
import sys
import threading
import webbrowser

from xpress.command_line import one_line_errors
from xpress.errors import InputError

LOCAL_NAMES = ["localhost", "127.0.0.1", "[::1]"]


@one_line_errors(terminated=False)
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="xpress-studio", description="A page to drop faces on.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on")
    parser.add_argument("--no-browser", action="store_true", help="do not open the page")
    given = parser.parse_args()
    try:
        import uvicorn
        import websockets  # noqa: F401 - what uvicorn takes for live pictures

        from xpress.studio.app import create_app
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("xpress"):
            raise
        raise InputError("the studio needs an extra: pip install 'xpress[studio]'") from error
    local = is_local(given.host)
    if not local:
        print(
            f"warning: everyone who reaches {given.host} can use this page and this computer's "
            "time; there is no password. Cameras work on localhost and over HTTPS only.",
            file=sys.stderr,
        )
    shown = "127.0.0.1" if given.host in ("0.0.0.0", "::") else given.host
    address = f"http://{f'[{shown}]' if ':' in shown else shown}:{given.port}/"
    print(f"studio: {address} (Ctrl-C ends it)", flush=True)
    if not given.no_browser:
        opener = threading.Timer(1.0, webbrowser.open, (address,))
        opener.daemon = True
        opener.start()
    # addresses hold the secrets of pages, so no request is logged
    uvicorn.run(
        create_app(hosts=LOCAL_NAMES if local else None),
        host=given.host,
        port=given.port,
        access_log=False,
        log_level="warning",
        ws_max_size=4 << 20,
        timeout_graceful_shutdown=3,
    )


def is_local(host: str) -> bool:
    """Whether only this computer reaches an address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    main()
