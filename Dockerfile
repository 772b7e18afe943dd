# worker and runner in one image, for compose.yaml. What needs npm and the network happens in the first
# stage; --build-arg PREBUILT=1 takes the dist/ of "npm run build" instead.
ARG BASE=node:24-alpine

FROM ${BASE} AS build
ARG PREBUILT=
WORKDIR /src
COPY . .
RUN if [ -z "$PREBUILT" ]; then npm ci --ignore-scripts && npm run build; fi

FROM ${BASE}
COPY --from=build /src/dist /app
COPY --from=build /src/scripts/container.mjs /app/container.mjs
USER 0:0
# A BASE may have little more than Node. Volumes that are mounted here begin with these owners.
RUN node -e '\
  const fs = require("node:fs"); \
  for (const name of ["worker", "runner"]) { \
    const folder = `/var/lib/mcp-runner/${name}`; \
    fs.mkdirSync(folder, { recursive: true }); \
    fs.chmodSync(folder, 0o700); \
    fs.chownSync(folder, 1000, 1000); \
  } \
  fs.mkdirSync("/usr/local/bin", { recursive: true }); \
  const program = "#!/bin/sh\nexec node /app/container.mjs \"$@\"\n"; \
  fs.writeFileSync("/usr/local/bin/mcp-runner", program, { mode: 0o755 });'
# So that "node /app/worker.js code" finds the store.
ENV MCP_RUNNER_DATA=/var/lib/mcp-runner/worker/worker.db
USER 1000:1000
ENTRYPOINT ["node", "/app/container.mjs"]
CMD ["--help"]
