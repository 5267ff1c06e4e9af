// Package servingcert gives each manager replica a serving certificate that the API server trusts, without a Secret.
//
// The operator may not read or write Secrets, so replicas cannot share a key. Each makes its own pair in memory and
// adds the certificate to the CA bundle of the objects that name its Service: APIServices, or a
// ValidatingWebhookConfiguration. The bundle is the only shared state: every replica keeps the others' certificates in
// it and its own, even if several write at once. A replica that restarts replaces its former entry there, so that one
// that crashes over and over never pushes out one that works.
package servingcert
