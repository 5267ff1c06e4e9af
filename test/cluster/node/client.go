package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/llmservice/llmservice/test/cluster/pki"
)

// client is the little of an API client that waiting for a cluster takes.
type client struct {
	http *http.Client
}

const (
	requestTimeout = 5 * time.Second
	maxBody        = 1 << 20
)

func newClient(ca []byte, pair pki.Pair) (*client, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("API client: no CA certificate")
	}
	cert, err := tls.X509KeyPair(pair.Cert, pair.Key)
	if err != nil {
		return nil, fmt.Errorf("API client: %w", err)
	}
	config := &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13}
	return &client{http: &http.Client{
		Timeout: requestTimeout,
		// A connection per request: after kube-proxy has changed the rules, an
		// old connection would go on to prove the old ones.
		Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true},
	}}, nil
}

// get decodes the answer into object, unless that is nil.
func (c *client) get(ctx context.Context, url string, object any) error {
	body, err := c.do(ctx, http.MethodGet, url, nil)
	if err != nil || object == nil {
		return err
	}
	if err := json.Unmarshal(body, object); err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	return nil
}

// apply is a server-side apply of object at path.
func (c *client) apply(ctx context.Context, path string, object any) error {
	body, err := json.Marshal(object)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	_, err = c.do(ctx, http.MethodPatch, apiserverURL+path+"?fieldManager=cluster&force=true", body)
	return err
}

func (c *client) do(ctx context.Context, method, url string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, url, err)
	}
	req.Header.Set("Content-Type", "application/apply-patch+yaml")
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("call the API: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, url, err)
	}
	if res.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, url, res.Status, bytes.TrimSpace(answer))
	}
	return answer, nil
}
