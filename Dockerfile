FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -o /sinkd ./cmd/sinkd

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /sinkd /sinkd
ENV SINKD_HTTP_ADDR=:8080
USER 65532:65532
ENTRYPOINT ["/sinkd"]
CMD ["run"]
