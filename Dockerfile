# Debian 13: uWebSockets.js 20.69, the build for Node 24, needs glibc 2.38. It does not support Alpine's musl.
FROM node:24-trixie-slim AS base
WORKDIR /app
COPY package.json package-lock.json .npmrc ./

# `npm install`, not `npm ci`: the lock file lists uWebSockets.js binaries only for the platforms that npm saw when it
# wrote the file, and `npm ci` refuses the file for the missing ones. Both keep pinned versions.
FROM base AS build
RUN npm install --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json tsconfig.package.json ./
COPY scripts ./scripts
COPY machines ./machines
COPY src ./src
# docker build --build-arg BUILD_COMMIT=$(git rev-parse HEAD): the image has no repository to read it from.
ARG BUILD_COMMIT
RUN node scripts/build.mjs

FROM base AS dependencies
RUN npm install --ignore-scripts --no-audit --no-fund --omit=dev
# The build stage checks its own node_modules; these are the ones that run.
COPY scripts/uws.mjs scripts/uws-hashes.json ./scripts/
RUN node scripts/uws.mjs verify

FROM node:24-trixie-slim
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 DATA_DIR=/data
RUN install -d -o node -g node /data
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json ./
USER node
EXPOSE 8080
VOLUME /data
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# No shell and no npm in between: SIGTERM must reach the process that drains.
CMD ["node", "--enable-source-maps", "--max-semi-space-size=64", "dist/main.js"]
