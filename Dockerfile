# Built with the development tools, run with three small libraries.
FROM node:22-alpine AS build
WORKDIR /build
COPY package.json package-lock.json tsconfig.json rollup.config.js ./
RUN npm ci --ignore-scripts
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:22-alpine
LABEL org.opencontainers.image.title="cinnabar" \
      org.opencontainers.image.description="A Redis-compatible in-memory server for Node.js" \
      org.opencontainers.image.licenses="MIT"
ENV NODE_ENV=production
WORKDIR /usr/local/lib/cinnabar
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY redis.conf.example README.md LICENSE ./
RUN ln -s /usr/local/lib/cinnabar/dist/main.js /usr/local/bin/cinnabar \
 && mkdir /data && chown node:node /data
USER node
VOLUME /data
WORKDIR /data
EXPOSE 6379
# Any reply counts as alive: a server with a password answers NOAUTH. Another port, or TLS, takes another --health-cmd.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["cinnabar", "cli", "PING"]
# Options of `docker run` come after the image's own and win over them; words that start no server, and a first argument
# that is no option (a configuration file, which then says everything by itself, or a tool), stand alone.
ENTRYPOINT ["sh", "-c", "case \"$1\" in -v | --version | -h | --help | --check-system) ;; '' | -*) set -- --bind '*' '-::*' --protected-mode no --dir /data \"$@\" ;; esac; exec cinnabar \"$@\"", "cinnabar"]
