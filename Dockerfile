# illures serve on a CPU, from the wheel, as a user without rights.
#   docker build -t illures .
#   docker run --rm --read-only --tmpfs /tmp -p 127.0.0.1:8000:8000 -e ILLURES_TOKEN=at-least-16-characters illures
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src ./src
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /dist .

FROM python:3.11-slim
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY --from=build /dist/*.whl /tmp/wheel/
RUN python -m pip install "$(echo /tmp/wheel/*.whl)[video,heic,web]" \
 && rm -r /tmp/wheel \
 && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin illures
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
# The image has no curl; /health asks for no token.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health', timeout=4)"]
STOPSIGNAL SIGINT
ENTRYPOINT ["illures"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8000"]
