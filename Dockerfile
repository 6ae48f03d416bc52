# fervid on a server: the review page over HTTP, and every command by `docker compose run`. See compose.yaml.
FROM python:3.13-slim AS build
WORKDIR /source
COPY . .
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels .

FROM python:3.13-slim
# System libraries that opencv-python needs.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /wheels /wheels
RUN python -m pip install --no-cache-dir "fervid[query,web] @ file://$(echo /wheels/*.whl)" && rm -r /wheels
RUN useradd --create-home --uid 10001 fervid && mkdir /videos /results && chown fervid /results
USER fervid
WORKDIR /results
VOLUME ["/videos", "/results"]
EXPOSE 8350
# Any answer shows that the server is alive; without the token it is a refusal.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", "import http.client; c = http.client.HTTPConnection('127.0.0.1', 8350, timeout=4); c.request('GET', '/'); c.getresponse()"]
ENTRYPOINT ["fervid"]
# The address with its token is printed: `docker compose logs`. It is not encrypted.
CMD ["serve", "/results", "--host", "0.0.0.0", "--allow-remote"]
