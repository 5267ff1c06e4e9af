package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
)

const (
	// logsAtOnce is how many replicas are asked for their logs at the same time.
	logsAtOnce = 16
	// podsPerPage bounds an answer of the API server.
	podsPerPage = 500
)

// logs prints the lines of a service's replicas.
type logs struct {
	cluster

	request  string
	since    time.Duration
	tail     int64
	previous bool
	out, err io.Writer
}

const logsLong = `Print the log lines of all replicas of an LLMService, in the order of their times. With --request,
print only those of one request: its ID is in the answer's header X-Request-Id.

Lines of replicas that are gone are not shown: collect the cluster's logs if you need them for longer.`

func logsCommand() *cobra.Command {
	l := &logs{}
	cmd := &cobra.Command{
		Use:   "logs NAME [--request ID]",
		Short: "Print the log lines of all replicas in the order of time, or those of one request",
		Long:  logsLong,
		Example: `  kubectl llmservice logs assistant -n team-a --since 10m
  kubectl llmservice logs assistant -n team-a --request 4f0c1c6f5a5e4d7f9d3f3c4b2a190817`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			l.out, l.err = cmd.OutOrStdout(), cmd.ErrOrStderr()
			return l.run(cmd.Context(), args[0])
		},
	}
	flags := cmd.Flags()
	l.addFlags(flags)
	flags.StringVar(&l.request, "request", "", "ID of the only request whose lines are printed")
	flags.DurationVar(&l.since, "since", 0, "age of the oldest line, such as 10m; 0 prints all")
	flags.Int64Var(&l.tail, "tail", -1, "number of lines from the end of each replica's log; -1 prints all")
	flags.BoolVarP(&l.previous, "previous", "p", false, "print the lines of each replica's previous container")
	return cmd
}

func (l *logs) run(ctx context.Context, name string) error {
	if l.since < 0 {
		return fmt.Errorf("--since: %s, want at least 0s", l.since)
	}
	settings, err := l.connect()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(settings)
	if err != nil {
		return fmt.Errorf("build client: %w", err)
	}
	pods, err := l.pods(ctx, client, name)
	if err != nil {
		return err
	}
	if len(pods) == 0 {
		return fmt.Errorf("namespace %s has no replica of an %s %q", l.namespace, v1alpha1.Kind, name)
	}
	streams, err := l.open(ctx, client, pods)
	defer func() {
		for _, s := range streams {
			_ = s.Close() // it was only read
		}
	}()
	if err != nil {
		return err
	}
	return merge(streams, l.wanted, l.print)
}

// pods names the service's replicas.
func (l *logs) pods(ctx context.Context, client kubernetes.Interface, name string) ([]string, error) {
	service := &v1alpha1.LLMService{ObjectMeta: metav1.ObjectMeta{Namespace: l.namespace, Name: name}}
	options := metav1.ListOptions{LabelSelector: render.Selector(service).String(), Limit: podsPerPage}
	var names []string
	for {
		page, err := client.CoreV1().Pods(l.namespace).List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("list the replicas: %w", err)
		}
		for i := range page.Items {
			names = append(names, page.Items[i].Name)
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return names, nil
		}
	}
}

// open begins to read each replica's lines. A replica that has none, for example because it has not started yet, is reported and
// left out; only if no replica can be read, there is an error.
func (l *logs) open(ctx context.Context, client kubernetes.Interface, pods []string) ([]*lines, error) {
	streams, errs := make([]*lines, len(pods)), make([]error, len(pods))
	options := &corev1.PodLogOptions{Container: render.ContainerName, Timestamps: true, Previous: l.previous}
	if l.since > 0 {
		options.SinceSeconds = new(max(int64(l.since.Seconds()), 1))
	}
	if l.tail >= 0 {
		options.TailLines = new(l.tail)
	}
	var group errgroup.Group
	group.SetLimit(logsAtOnce)
	for i, pod := range pods {
		group.Go(func() error {
			body, err := client.CoreV1().Pods(l.namespace).GetLogs(pod, options).Stream(ctx)
			if err != nil {
				errs[i] = fmt.Errorf("pod %s: %w", pod, err)
				return nil
			}
			streams[i] = newLines(pod, body)
			return nil
		})
	}
	_ = group.Wait() // it has no errors of its own
	var opened []*lines
	for i, s := range streams {
		if s != nil {
			opened = append(opened, s)
		} else if _, err := fmt.Fprintln(l.err, errs[i]); err != nil {
			return opened, fmt.Errorf("write: %w", err)
		}
	}
	if len(opened) == 0 {
		return nil, errors.Join(errs...)
	}
	return opened, nil
}

// wanted reports whether a line is to be printed.
func (l *logs) wanted(line string) bool {
	if l.request == "" {
		return true
	}
	if !strings.Contains(line, l.request) {
		return false
	}
	var record struct {
		Request string `json:"request"`
	}
	return json.Unmarshal([]byte(line), &record) == nil && record.Request == l.request
}

func (l *logs) print(pod, line string) error {
	if _, err := fmt.Fprintf(l.out, "[pod/%s] %s\n", pod, line); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
