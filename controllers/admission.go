package controllers

import (
	"crypto/tls"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	"github.com/llmservice/llmservice/controllers/servingcert"
	"github.com/llmservice/llmservice/controllers/webhook"
)

// The right to the ValidatingWebhookConfiguration stands in config/webhook: an operator without the webhook does not have it.

// Webhook says where LLMServices are checked before they are stored.
type Webhook struct {
	// Port is where to listen.
	Port int
	// Service is the one that leads to the managers. The ValidatingWebhookConfiguration has the same name.
	Service types.NamespacedName
	// Replica is the name of this manager's pod, in the namespace of the Service; empty if it is not known.
	Replica string
}

// addWebhook has every replica answer, whether it leads or not, under a certificate of its own.
func addWebhook(manager ctrl.Manager, check webhook.Check, options *Webhook) error {
	client := servingcert.APIClient{Reader: manager.GetAPIReader(), Writer: manager.GetClient()}
	holders := servingcert.ValidatingWebhooks(options.Service.Name)
	publisher, err := servingcert.NewPublisher(client, options.Replica, options.Service, holders)
	if err != nil {
		return err
	}
	server := ctrlwebhook.NewServer(ctrlwebhook.Options{
		Port: options.Port, TLSOpts: []func(*tls.Config){serveWith(publisher.Certificate())},
	})
	server.Register(webhook.Path, webhook.NewHandler(check))
	if err := manager.Add(publisher); err != nil {
		return fmt.Errorf("add the publisher of the webhook's certificate: %w", err)
	}
	if err := manager.Add(server); err != nil {
		return fmt.Errorf("add the webhook: %w", err)
	}
	if err := manager.AddReadyzCheck("webhook-certificate", publisher.Ready); err != nil {
		return fmt.Errorf("set up probes: %w", err)
	}
	return nil
}

// serveWith serves with the pair of the moment. Without HTTP/2, a connection has one review at a time, whose bytes are bounded.
func serveWith(pair *servingcert.ServedPair) func(*tls.Config) {
	return func(config *tls.Config) {
		config.MinVersion, config.NextProtos = tls.VersionTLS12, []string{"http/1.1"}
		config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			certificate, err := tls.X509KeyPair(pair.CurrentCertKeyContent())
			if err != nil {
				return nil, fmt.Errorf("serve with the certificate: %w", err)
			}
			return &certificate, nil
		}
	}
}
