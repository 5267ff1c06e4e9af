package controllers

import (
	"cmp"
	"time"
)

// configPause is the least time between two configs of a service. An edit after a quiet time goes out at once; of edits in quick
// succession, as a script makes them, the last one of each pause does. Each config costs a write, the compilation of the spec and
// a reminder of each pod's kubelet, which takes about a second to bring it to the gateway: after a shorter pause, nothing would be
// live any sooner.
const configPause = 1250 * time.Millisecond

// pace is how long a revision has to wait because another config was delivered just before; zero if it is the one that is
// delivered, or if there is none yet. A paused service gets no config, whenever it is looked at.
func (r *Reconciler) pace(seen *view, revision string) time.Duration {
	known := seen.accepted()
	if known == nil || known.Current == revision || seen.paused() {
		return 0
	}
	since := seen.now.Sub(r.memories.of(seen).delivered)
	if since < 0 { // the clock was set back
		return 0
	}
	return max(0, cmp.Or(r.ConfigPause, configPause)-since)
}
