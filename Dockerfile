# The plugin and its shim on the official Kong image.
ARG KONG=3.9
# Compiled on the builder's own system, also for another.
FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
ARG TARGETOS TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags="-s -w -X main.build=${VERSION}" -o /go-ai-proxy .
RUN go run ./test/licences -o /THIRD-PARTY-LICENSES

FROM kong:${KONG}
USER root
COPY --from=build /go-ai-proxy /usr/local/bin/go-ai-proxy
COPY LICENSE NOTICE /usr/share/doc/go-ai-proxy/
COPY --from=build /THIRD-PARTY-LICENSES /usr/share/doc/go-ai-proxy/
COPY kong/plugins/go-ai-proxy schema.json /opt/go-ai-proxy/kong/plugins/go-ai-proxy/
# Kong passes on to the plugin only what is named here.
ENV KONG_NGINX_MAIN_ENV="GO_AI_PROXY_REDIS; env GO_AI_PROXY_HTTP2; env GO_AI_PROXY_ENGINE; env GO_AI_PROXY_LOG_LEVEL; env GO_AI_PROXY_LOG_PHASE; env GO_AI_PROXY_STATUS; env GO_AI_PROXY_STATUS_PUBLIC; env GO_AI_PROXY_STATUS_PPROF; \
env HTTP_PROXY; env HTTPS_PROXY; env NO_PROXY; env SSL_CERT_FILE; env HOME; env GOGC; \
env AWS_REGION; env AWS_DEFAULT_REGION; env AWS_ACCESS_KEY_ID; env AWS_SECRET_ACCESS_KEY; env AWS_SESSION_TOKEN; \
env AWS_ROLE_ARN; env AWS_ROLE_SESSION_NAME; env AWS_WEB_IDENTITY_TOKEN_FILE; \
env AWS_CONTAINER_CREDENTIALS_RELATIVE_URI; env AWS_CONTAINER_CREDENTIALS_FULL_URI; \
env AWS_CONTAINER_AUTHORIZATION_TOKEN; env AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE; \
env AZURE_CLIENT_ID; env AZURE_CLIENT_SECRET; env AZURE_TENANT_ID; env AZURE_FEDERATED_TOKEN_FILE; env AZURE_AUTHORITY_HOST; \
env IDENTITY_ENDPOINT; env IDENTITY_HEADER; env GCP_SERVICE_ACCOUNT"
ENV KONG_PLUGINS=bundled,go-ai-proxy \
    KONG_PLUGINSERVER_NAMES=go-ai-proxy \
    KONG_PLUGINSERVER_GO_AI_PROXY_SOCKET=/usr/local/kong/go-ai-proxy.socket \
    KONG_PLUGINSERVER_GO_AI_PROXY_START_CMD="/usr/local/bin/go-ai-proxy -kong-prefix /usr/local/kong" \
    KONG_PLUGINSERVER_GO_AI_PROXY_QUERY_CMD="/usr/local/bin/go-ai-proxy -dump" \
    KONG_LUA_PACKAGE_PATH="/opt/go-ai-proxy/?.lua;;"
USER kong
