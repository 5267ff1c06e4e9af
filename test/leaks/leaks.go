// Package leaks looks for secrets wherever a gateway says something of itself: a test gives them to it, and then nothing that can
// be read of it may have one.
package leaks

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/llmservice/llmservice/runtime/config/report"
	"github.com/llmservice/llmservice/runtime/rawjson"
)

// patience bounds the wait for a page.
const patience = 30 * time.Second

// spellings are forms in which a secret of at least four bytes may stand.
func spellings(secret string) map[string]string {
	return map[string]string{
		"as it is": secret, "in JSON": strings.Trim(string(rawjson.Quote(secret)), `"`),
		"in a URL":       strings.ReplaceAll(secret, " ", "%20"),
		"in base64":      base64.StdEncoding.EncodeToString([]byte(secret[:len(secret)/3*3])), // whatever follows
		"in hexadecimal": fmt.Sprintf("%x", secret), "as bytes": fmt.Sprintf("%d %d %d %d", secret[0], secret[1], secret[2], secret[3]),
	}
}

// In lists the secrets that a text has, in any form, each with what is around it.
func In(text string, secrets ...string) []string {
	var found []string
	for _, secret := range secrets {
		for form, spelt := range spellings(secret) {
			if at := strings.Index(text, spelt); at >= 0 {
				found = append(found, fmt.Sprintf("%q (%s): …%s…", secret, form, text[max(0, at-200):min(len(text), at+100)]))
			}
		}
	}
	return found
}

// Of lists where a gateway has one of the secrets: in what it has logged, on the pages of its API, whose URL is given, and on those
// of its admin listener. The error is of a page that cannot be read.
func Of(ctx context.Context, logged, api, admin string, secrets ...string) ([]string, error) {
	said := map[string]string{"the log": logged}
	for _, url := range []string{
		api + "/openapi.json", api + "/docs", api + "/redoc", api + "/v1/models",
		admin + report.StatusPath, admin + report.MetricsPath, admin + report.ReadyPath, admin + report.LivePath,
	} {
		text, err := read(ctx, url)
		if err != nil {
			return nil, err
		}
		said[url] = text
	}
	var found []string
	for _, place := range slices.Sorted(maps.Keys(said)) {
		for _, secret := range In(said[place], secrets...) {
			found = append(found, place+" has "+secret)
		}
	}
	return found, nil
}

func read(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", fmt.Errorf("read a page: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("read a page: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("read %s: status %d", url, resp.StatusCode)
	}
	return string(text), nil
}
