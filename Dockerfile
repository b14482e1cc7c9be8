# The host as an image: `docker build -t headrace .`. Nothing in its last stage can install or
# compile; it needs no user, no shell and no file system that can be written to, but for /tmp.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv --copies /opt/headrace \
 && /opt/headrace/bin/pip install --no-cache-dir --upgrade pip
COPY pyproject.toml README.md LICENSE ./
COPY dsl dsl
COPY extensions extensions
COPY host host
COPY policies policies
# Providers' clients and KV events are extras: `--build-arg EXTRAS=model-armor,kv-events`.
ARG EXTRAS=kv-events
# Wheels only: what has none for this platform stops the build, and needs no compiler.
RUN /opt/headrace/bin/pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
 && /opt/headrace/bin/pip install --no-cache-dir --only-binary :all: "$(ls /wheels/*.whl)[$EXTRAS]" \
 && /opt/headrace/bin/python -m compileall -q /opt/headrace/lib \
 && /opt/headrace/bin/pip uninstall --yes --quiet pip

FROM python:3.13-slim
RUN rm -rf /usr/local/lib/python3.13/site-packages/* /usr/local/lib/python3.13/ensurepip /usr/local/bin/pip*
COPY --from=build /opt/headrace /opt/headrace
ENV PATH=/opt/headrace/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65532:65532
# The roles that have ports of their own with their health, and the operator's pages.
EXPOSE 9002-9007 9090
ENTRYPOINT ["headrace"]
CMD ["serve", "--help"]
