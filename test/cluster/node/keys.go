package node

import (
	"net"

	"github.com/llmservice/llmservice/test/cluster/pki"
)

// admin may do everything; the daemons of a machine that lives for a test
// share its certificate.
var admin = pki.Subject{CommonName: "admin", Organization: []string{"system:masters"}}

var apiserver = pki.Subject{
	CommonName: "kube-apiserver",
	DNSNames: []string{
		"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + dnsDomain,
	},
	IPs: []net.IP{net.ParseIP("127.0.0.1"), net.ParseIP(apiserverVIP), net.ParseIP(controlPlaneIP)},
}

// writeKeys makes the cluster's PKI and returns what its own client needs. The
// front proxy has a CA of its own: the apiserver refuses to start when a client
// certificate could pass for the aggregation layer's.
func (l Layout) writeKeys() (*client, error) {
	ca, err := pki.NewAuthority("llmservice-cluster")
	if err != nil {
		return nil, err
	}
	frontCA, err := pki.NewAuthority("llmservice-cluster-front-proxy")
	if err != nil {
		return nil, err
	}
	if err := l.writePair("ca", ca.Pair); err != nil {
		return nil, err
	}
	if err := l.writePair("front-ca", frontCA.Pair); err != nil {
		return nil, err
	}
	if err := l.issue("apiserver", ca, apiserver); err != nil {
		return nil, err
	}
	if err := l.issue("front", frontCA, pki.Subject{CommonName: "front-proxy"}); err != nil {
		return nil, err
	}
	if err := l.writeSigningKey(); err != nil {
		return nil, err
	}
	return l.writeAdmin(ca)
}

func (l Layout) issue(name string, ca *pki.Authority, s pki.Subject) error {
	pair, err := ca.Issue(s)
	if err != nil {
		return err
	}
	return l.writePair(name, pair)
}

func (l Layout) writePair(name string, pair pki.Pair) error {
	if err := writeFile(l.path("pki", name+".crt"), pair.Cert); err != nil {
		return err
	}
	return writeFile(l.path("pki", name+".key"), pair.Key)
}

func (l Layout) writeSigningKey() error {
	private, public, err := pki.NewSigningKey()
	if err != nil {
		return err
	}
	if err := writeFile(l.path("pki", "sa.key"), private); err != nil {
		return err
	}
	return writeFile(l.path("pki", "sa.pub"), public)
}

// writeAdmin writes the administrator's certificate twice: as files for the
// apiserver's calls to the kubelet, and inside the kubeconfig of each node.
func (l Layout) writeAdmin(ca *pki.Authority) (*client, error) {
	pair, err := ca.Issue(admin)
	if err != nil {
		return nil, err
	}
	if err := l.writePair("admin", pair); err != nil {
		return nil, err
	}
	for _, n := range append(l.Workers(), l) {
		if err := n.writeKubeconfig(ca, pair); err != nil {
			return nil, err
		}
	}
	return newClient(ca.Cert, pair)
}

func (l Layout) writeKubeconfig(ca *pki.Authority, pair pki.Pair) error {
	kubeconfig, err := render("kubeconfig.yaml", struct {
		Netns, Server string
		CA, Cert, Key []byte
	}{l.Netns, l.apiserverFor(), ca.Cert, pair.Cert, pair.Key})
	if err != nil {
		return err
	}
	return writeFile(l.Kubeconfig(), kubeconfig)
}
