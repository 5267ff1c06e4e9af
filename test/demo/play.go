package main

import (
	"context"
	"fmt"
	"time"

	"github.com/llmservice/llmservice/test/scenario"
)

// namespace is where the demo's service runs.
const namespace = "demo"

// demo is the play's state.
type demo struct {
	*narrator

	cluster  *scenario.Cluster
	upstream *scenario.Upstream
	service  *scenario.Service
	url      string
	load     *scenario.Load
}

// play is the demo proper, inside the cluster's network.
func play(ctx context.Context, n *narrator, cluster *scenario.Cluster) error {
	d := &demo{narrator: n, cluster: cluster}
	for _, act := range []func(context.Context) error{
		d.install, d.apply, d.stream, d.refuse, d.scaleUp, d.edit, d.changeImage, d.scaleDown, d.count, d.inTime,
	} {
		if err := act(ctx); err != nil {
			cluster.Explain(ctx, n.out, namespace)
			return err
		}
	}
	fmt.Fprintf(n.out, lookAround, namespace, d.service.Name(), d.url, scenario.OperatorNamespace)
	return nil
}

const lookAround = `
All checks passed. The cluster keeps running; look around with

    build/bin/cluster exec -- kubectl get llms -A
    build/bin/cluster exec -- kubectl -n %[1]s describe llms %[2]s
    build/bin/cluster exec -- curl -N %[3]s/answer -H 'Content-Type: application/json' -d '{"question": "Is it real?"}'
    build/bin/cluster exec -- kubectl -n %[4]s logs -l app.kubernetes.io/name=llmservice

and take it down, without a trace, with

    make cluster-down
`

func (d *demo) inTime(context.Context) error {
	took := time.Since(d.begun)
	fmt.Fprintf(d.out, "\nFrom the built programs to here: %.0f s, at most %.0f.\n", took.Seconds(), scenario.DemoWithin.Seconds())
	if took > scenario.DemoWithin {
		return fmt.Errorf("the demo took %s, at most %s are allowed", took.Round(time.Second), scenario.DemoWithin)
	}
	return nil
}

func seconds(took time.Duration) string { return fmt.Sprintf("%.1f s", took.Seconds()) }

func (d *demo) install(ctx context.Context) error {
	return d.step(ctx, "The operator, with Helm", `The chart installs the kind LLMService, the operator, and the API through
		which Kubernetes' own autoscaler reads how many requests are in flight.`,
		func(ctx context.Context) (string, error) {
			_, err := d.cluster.Install(ctx)
			return "the operator is ready", err
		})
}

func (d *demo) apply(ctx context.Context) error {
	return d.step(ctx, "An LLMService", `One manifest, `+scenario.SampleFile+`, describes a route, its schema and its
		prompt. The operator turns it into a Deployment of gateways, with everything that belongs to one. A
		scripted server plays the model.`,
		func(ctx context.Context) (seen string, err error) {
			if err := d.clear(ctx); err != nil {
				return "", err
			}
			options := scenario.UpstreamOptions{Services: scenario.SampleUpstreams()}
			if d.upstream, err = d.cluster.StartUpstream(ctx, scenario.SampleUpstreamNamespace, options); err != nil {
				return "", err
			}
			if d.service, err = d.cluster.ApplySample(ctx, namespace, nil); err != nil {
				return "", err
			}
			d.url, err = d.service.URL(ctx)
			return fmt.Sprintf("kubectl get llms -n %s %s: Ready", namespace, d.service.Name()), err
		})
}

// clear makes the demo's namespaces, without what an earlier demo has left in them.
func (d *demo) clear(ctx context.Context) error {
	for _, name := range []string{namespace, scenario.SampleUpstreamNamespace} {
		if err := d.cluster.CreateNamespace(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) stream(ctx context.Context) error {
	return d.step(ctx, "A chat, token by token", `The gateway forwards each token as it arrives: the first one reaches the
		client before the model has produced the last.`,
		func(ctx context.Context) (string, error) {
			seen, err := scenario.StreamTokenByToken(ctx, d.upstream, scenario.Ask(d.url))
			return fmt.Sprintf("first token after %d ms, with %d of %d tokens produced; all of them after %s",
				seen.First.Milliseconds(), seen.Produced, seen.Script.Tokens, seconds(seen.Took)), err
		})
}

func (d *demo) refuse(ctx context.Context) error {
	return d.step(ctx, "A bad body", `The manifest has the schema of a request; a body that breaks it never reaches the
		model, and the answer, in FastAPI's form, names the field.`,
		func(ctx context.Context) (string, error) {
			found, err := scenario.Violations(ctx, d.url+scenario.SampleRoute, []byte(`{"question": 7}`))
			if err != nil {
				return "", err
			}
			if at := fmt.Sprint(found[0].Loc); at != "[body "+scenario.SampleField+"]" {
				return "", fmt.Errorf("the answer is about %s, not about body.%s", at, scenario.SampleField)
			}
			return fmt.Sprintf("422: %s is wrong: %s", scenario.SampleField, found[0].Msg), nil
		})
}
