//go:build e2e

package e2e

import "testing"

func TestImagesAreSmall(t *testing.T) { ok(t, cluster.Images.CheckSizes()) }
