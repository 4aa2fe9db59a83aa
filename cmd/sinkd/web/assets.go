package web

import (
	"bytes"
	"embed"
	"net/http"
	"strings"
)

// assets are the page: plain files, served as they are. uplot.js and uplot.css
// are uPlot 1.6.32, under the licence in uplot.LICENSE.
//
//go:embed assets
var assets embed.FS

// policy lets the page run its own scripts and ask its own host, and nothing
// else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// careful sets the headers that keep browsers from guessing and telling.
func careful(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		next.ServeHTTP(w, r)
	})
}

// files serves the page's files. They hold no data, so they need no token: the
// page asks for it.
func files() http.Handler {
	server := http.FileServerFS(assets)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "no-cache")
		server.ServeHTTP(w, r)
	})
}

// shell serves the page without its data, which says whether a token is wanted.
func shell(token bool) http.HandlerFunc {
	page, err := assets.ReadFile("assets/index.html")
	if token {
		page = bytes.Replace(page, []byte(`<html lang="en">`), []byte(`<html lang="en" data-token="wanted">`), 1)
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(page)
	}
}

// browses tells a browser from a program: it asks for HTML.
func browses(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }
