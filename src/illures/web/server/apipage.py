"""The documentation page of the REST interface, made from the OpenAPI schema. It needs no script and no network."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

from illures.web.server.limits import MEGABYTE, Limits

STYLE = Path(__file__).parent.parent / "static" / "rest.css"


def api_page(schema: dict[str, Any], limits: Limits) -> str:
    """Make the HTML: for each route its parameters, its responses, and an example with curl.

    Args:
        schema: OpenAPI 3 schema.
        limits: limits of the server, which the page states.
    """
    routes = [
        _route(method, path, about) for path, methods in schema["paths"].items() for method, about in methods.items()
    ]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>illures: REST interface</title>
<link rel="stylesheet" href="/static/rest.css">
</head>
<body>
<main>
<h1>illures {escape(schema["info"]["version"])}</h1>
<p>The body of a request is the file of a photo as it is, at most {limits.photo_bytes / MEGABYTE:g} MB and
{limits.pixels / 1e6:g} megapixels; or a ZIP file (<code>Content-Type: application/zip</code>) of up to {limits.batch}
photos, {limits.batch_bytes / MEGABYTE:g} MB. Errors are JSON: <code>{{"error": "..."}}</code>. If the server requires
a token, send <code>Authorization: Bearer TOKEN</code>. The schema: <a href="/openapi.json">openapi.json</a>.</p>
{"".join(routes)}
</main>
</body>
</html>
"""


def _route(method: str, path: str, about: dict[str, Any]) -> str:
    body = " \\\n  --data-binary @photo.jpg" if "requestBody" in about else ""
    verb = "" if method == "get" else f" -X {method.upper()}"
    needed = "&".join(f"{p['name']}=rembrandt" for p in about.get("parameters", []) if p.get("required"))
    query = f"?{needed}" if needed else ""
    rows = "".join(_parameter(parameter) for parameter in about.get("parameters", []))
    answers = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(answer.get('description', ''))} "
        f"{escape(', '.join(answer.get('content', {})))}</td></tr>"
        for status, answer in sorted(about["responses"].items())
    )
    table = f"<h3>Parameters</h3><table>{rows}</table>" if rows else ""
    return f"""<section>
<h2><b>{method.upper()}</b> <code>{escape(path)}</code></h2>
<p>{escape(about.get("summary", ""))}</p>
<pre>curl -OJ{verb} "http://127.0.0.1:8000{escape(path + query)}"{escape(body)}</pre>
{table}<details><summary>Responses</summary><table>{answers}</table></details>
</section>
"""


def _parameter(parameter: dict[str, Any]) -> str:
    schema = parameter["schema"]
    choices = schema.get("enum") or schema.get("items", {}).get("enum")
    kind = " | ".join(str(choice) for choice in choices) if choices else schema.get("type", "")
    if "minimum" in schema or "maximum" in schema:
        kind += f", {schema.get('minimum', '')} to {schema.get('maximum', '')}"
    default = schema.get("default")
    if isinstance(default, list):
        default = ", ".join(default)
    default = "required" if parameter.get("required") else f"default {default}"
    about = parameter.get("description", "")
    return (
        f"<tr><td><code>{escape(parameter['name'])}</code></td>"
        f"<td>{escape(about)}<br><small>{escape(kind)}; {escape(str(default))}</small></td></tr>"
    )
