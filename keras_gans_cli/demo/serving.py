"""The page's server: it answers this machine alone, and what it sends loads nothing from elsewhere."""

import contextlib
import importlib.util
import os
import signal
import socket

from keras_gans_core.errors import ConfigurationError, UnsupportedError

HOST = "127.0.0.1"
# What a browser may load: this server's files, and what the page itself has made. No other site may frame the page.
POLICY = (
    b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; base-uri 'self'; form-action 'self'; "
    b"frame-ancestors 'none'"
)
STYLE = ".pixels img { image-rendering: pixelated; width: 100%; height: 100%; object-fit: contain; }"


def check_installed():
    """Raises an `UnsupportedError` unless `gradio` is installed, without importing it, which takes seconds."""
    if importlib.util.find_spec("gradio") is None:
        raise UnsupportedError(
            "Expected the package gradio for the demo. Received: it is not installed. "
            'Install it: pip install "keras-gans[demo]"'
        )


def gradio():
    """The package `gradio`, imported at first use and without its telemetry."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    import gradio

    return gradio


def listening(port):
    """A socket on this machine that waits for browsers; port 0 takes any that is free.

    Raises:
        ConfigurationError: the port is in use, or may not be used.
    """
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # also just after an earlier server's end
    try:
        server.bind((HOST, port))
        server.listen()
    except OSError as error:
        server.close()
        raise ConfigurationError(
            f"Expected a free port. Received: --port {port}: {error.strerror}. Choose another one; --port 0 takes any "
            "that is free."
        ) from error
    return server


def serve(blocks, server):
    """Serves a page on a socket until Ctrl-C, or SIGTERM, which ends it in the same way."""
    import uvicorn

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(uvicorn.Config(application(blocks), log_level="error")).run(sockets=[server])


def application(blocks):
    """The page as an ASGI application."""
    import fastapi
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    gr = gradio()
    without_pages = {"openapi_url": None}  # FastAPI's own of the interface, which load scripts from elsewhere
    app = fastapi.FastAPI(**without_pages)
    gr.mount_gradio_app(
        app,
        blocks,
        path="/",
        app_kwargs=without_pages,
        theme=gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        css=STYLE,
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
    )
    app.add_middleware(OwnOrigin)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])  # not others' names for this machine
    app.add_middleware(Policy)
    return app


class OwnOrigin:
    """Refuses what the pages of other sites send, such as uploads. Browsers name the site in the header Origin."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        from starlette.responses import PlainTextResponse

        headers = dict(scope.get("headers", ()))
        origin = headers.get(b"origin")
        own = origin is None or origin.partition(b"://")[2] == headers.get(b"host")
        answer = self.app if own else PlainTextResponse("Expected a request of this page.", status_code=403)
        await answer(scope, receive, send)


class Policy:
    """Adds `POLICY` to each answer of an application."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def answer(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"content-security-policy", POLICY)]
            await send(message)

        await self.app(scope, receive, answer)
