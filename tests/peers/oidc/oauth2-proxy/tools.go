//go:build tools

// Names oauth2-proxy, so that go.mod and go.sum have what it is built from.
package tools

import _ "github.com/oauth2-proxy/oauth2-proxy/v7"
