package node

import (
	"path/filepath"

	"github.com/llmservice/llmservice/test/cluster/supervise"
)

// Figures that differ from Kubernetes' defaults, and why.
const (
	// hpaSync makes a scaling decision visible within seconds; the default is 15s.
	hpaSync = "5s"
	// metricResolution is the shortest that metrics-server documents as
	// supported, and metricTimeout has to be below it.
	metricResolution = "15s"
	metricTimeout    = "10s"
	// lostAfter and evictedAfter make the loss of one of several nodes visible in a minute; the defaults are 50s and 300s. A kubelet
	// gives a sign of life every 10s.
	lostAfter    = "20s"
	evictedAfter = "10"
)

func (l Layout) program(name string, args ...string) supervise.Daemon {
	return supervise.Daemon{Name: name, Path: filepath.Join(l.visibleBin(), name), Args: args}
}

func (l Layout) etcd() supervise.Daemon {
	return l.program("etcd",
		"--data-dir="+l.path("etcd"),
		// Nothing here has to survive a power failure.
		"--unsafe-no-fsync",
		"--listen-client-urls="+etcdURL,
		"--advertise-client-urls="+etcdURL,
		"--listen-peer-urls="+etcdPeerURL,
		"--initial-advertise-peer-urls="+etcdPeerURL,
		"--initial-cluster=default="+etcdPeerURL,
	)
}

func (l Layout) containerd() supervise.Daemon {
	return supervise.Daemon{Name: "containerd", Path: "containerd", Args: []string{"--config", l.path("containerd.toml")}}
}

func (l Layout) apiserver() supervise.Daemon {
	key := func(name string) string { return l.path("pki", name) }
	args := []string{
		"--etcd-servers=" + etcdURL,
		"--bind-address=0.0.0.0",
		"--advertise-address=" + controlPlaneIP,
		"--tls-cert-file=" + key("apiserver.crt"),
		"--tls-private-key-file=" + key("apiserver.key"),
		"--client-ca-file=" + key("ca.crt"),
		"--authorization-mode=Node,RBAC",
		"--allow-privileged",
		"--service-cluster-ip-range=" + serviceCIDR,
		"--service-account-issuer=https://kubernetes.default.svc." + dnsDomain,
		"--service-account-key-file=" + key("sa.pub"),
		"--service-account-signing-key-file=" + key("sa.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-client-certificate=" + key("admin.crt"),
		"--kubelet-client-key=" + key("admin.key"),
		// The aggregation layer, which serves metrics and custom metrics.
		"--requestheader-client-ca-file=" + key("front-ca.crt"),
		"--requestheader-allowed-names=front-proxy",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + key("front.crt"),
		"--proxy-client-key-file=" + key("front.key"),
	}
	return l.program("kube-apiserver", append(args, l.ifSeveral(
		"--default-not-ready-toleration-seconds="+evictedAfter,
		"--default-unreachable-toleration-seconds="+evictedAfter,
	)...)...)
}

// ifSeveral returns flags for the loss of a node. One that is alone has nobody to hand its pods to, and may be late on a busy
// machine.
func (l Layout) ifSeveral(flags ...string) []string {
	if l.Nodes > 1 {
		return flags
	}
	return nil
}

// client are the flags by which a component of Kubernetes reaches the API and
// asks it who may read its own metrics.
func (l Layout) client() []string {
	return []string{
		"--kubeconfig=" + l.Kubeconfig(),
		"--authentication-kubeconfig=" + l.Kubeconfig(),
		"--authorization-kubeconfig=" + l.Kubeconfig(),
	}
}

func (l Layout) controllerManager() supervise.Daemon {
	args := append(l.client(),
		"--bind-address=127.0.0.1",
		"--leader-elect=false",
		"--use-service-account-credentials",
		"--service-account-private-key-file="+l.path("pki", "sa.key"),
		"--root-ca-file="+l.path("pki", "ca.crt"),
		"--horizontal-pod-autoscaler-sync-period="+hpaSync,
		// It makes this directory, and the default is the machine's.
		"--flex-volume-plugin-dir="+l.path("volume-plugins"),
	)
	return l.program("kube-controller-manager", append(args, l.ifSeveral("--node-monitor-grace-period="+lostAfter)...)...)
}

func (l Layout) scheduler() supervise.Daemon {
	return l.program("kube-scheduler", append(l.client(), "--bind-address=127.0.0.1", "--leader-elect=false")...)
}

func (l Layout) kubelet() supervise.Daemon {
	return l.program("kubelet",
		"--config="+l.path("kubelet.yaml"),
		"--kubeconfig="+l.Kubeconfig(),
		"--hostname-override="+l.Name(),
		// Not a loopback address: the apiserver refuses to reach a kubelet there.
		"--node-ip="+l.nodeIP(),
		"--root-dir="+l.path("kubelet"),
		"--cert-dir="+l.path("kubelet", "pki"),
	)
}

func (l Layout) proxy() supervise.Daemon {
	return l.program("kube-proxy",
		"--kubeconfig="+l.Kubeconfig(),
		"--proxy-mode=nftables",
		"--cluster-cidr="+podCIDR,
		"--hostname-override="+l.Name(),
	)
}

func (l Layout) dns() supervise.Daemon {
	return l.program("coredns", "-conf", l.path("Corefile"))
}

func (l Layout) metricsServer() supervise.Daemon {
	return l.program("metrics-server", append(l.client(),
		"--bind-address="+controlPlaneIP,
		"--secure-port="+metricsPort,
		"--cert-dir="+l.path("metrics-server"),
		"--kubelet-insecure-tls",
		"--kubelet-preferred-address-types=InternalIP",
		"--metric-resolution="+metricResolution,
		"--kubelet-request-timeout="+metricTimeout,
	)...)
}
