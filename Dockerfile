FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ENV CGO_ENABLED=0
RUN go build -trimpath -o /out/ ./cmd/sinkd ./integration/orders

# The source of orders for docker-compose.yml: --target demo.
FROM scratch AS demo
COPY --from=build /out/orders /orders
USER 65532:65532
ENTRYPOINT ["/orders"]

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/sinkd /sinkd
ENV SINKD_HTTP_ADDR=:8080
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/sinkd"]
CMD ["run"]
