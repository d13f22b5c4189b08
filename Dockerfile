# The plugin and its shim on the official Kong image.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /go-ai-proxy .

FROM kong:3.9
USER root
COPY --from=build /go-ai-proxy /usr/local/bin/go-ai-proxy
COPY kong/plugins/go-ai-proxy /opt/go-ai-proxy/kong/plugins/go-ai-proxy
ENV KONG_PLUGINS=bundled,go-ai-proxy \
    KONG_PLUGINSERVER_NAMES=go-ai-proxy \
    KONG_PLUGINSERVER_GO_AI_PROXY_SOCKET=/usr/local/kong/go-ai-proxy.socket \
    KONG_PLUGINSERVER_GO_AI_PROXY_START_CMD="/usr/local/bin/go-ai-proxy -kong-prefix /usr/local/kong" \
    KONG_PLUGINSERVER_GO_AI_PROXY_QUERY_CMD="/usr/local/bin/go-ai-proxy -dump" \
    KONG_LUA_PACKAGE_PATH="/opt/go-ai-proxy/?.lua;;"
USER kong
