package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/llmservice/llmservice/test/scenario"
)

func (d *demo) scaleUp(ctx context.Context) error {
	title := fmt.Sprintf("%d streams at once, and more replicas for them", scenario.Streams)
	return d.step(ctx, title, `Each client streams one chat after another, from now on until the end. An ordinary
		HorizontalPodAutoscaler reads the requests in flight, and scales the LLMService.`,
		func(ctx context.Context) (string, error) {
			before, err := d.service.Live(ctx)
			if err != nil {
				return "", err
			}
			if len(before) != 1 {
				return "", fmt.Errorf("%d replicas without load, want 1", len(before))
			}
			if d.load, err = d.service.Stream(ctx, scenario.Streams); err != nil {
				return "", err
			}
			if _, err := d.load.AwaitScaledUp(ctx); err != nil {
				return "", err
			}
			return d.replicas(ctx)
		})
}

func (d *demo) replicas(ctx context.Context) (string, error) {
	after, err := d.service.Live(ctx)
	if err != nil {
		return "", err
	}
	read, aim, err := d.service.InFlight(ctx)
	return fmt.Sprintf("1 replica became %d under %d streams: the autoscaler read %d in flight for each, and aims at %d",
		len(after), d.load.Open(), read, aim), err
}

const editedWords = "Answer in one sentence."

func (d *demo) edit(ctx context.Context) error {
	return d.step(ctx, "Another prompt, without a restart", `The manifest's prompt is edited while all streams are open.
		Each gateway loads the new config and reports it; requests in flight finish with the old one.`,
		func(ctx context.Context) (string, error) {
			edited, err := d.service.EditUnderWatch(ctx, editedWords)
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("all %d replicas serve it after %s (at most %s), no pod was restarted; the model now reads: %s …",
				edited.Replicas, seconds(edited.Took), scenario.AcknowledgedWithin,
				strings.Join(strings.Fields(edited.Prompt)[:len(strings.Fields(editedWords))], " ")), nil
		})
}

func (d *demo) changeImage(ctx context.Context) error {
	return d.step(ctx, "Another image, one replica after the other", `The same gateway under another name: every pod
		is replaced. A replica that has to stop leaves the Service, and ends after its last stream.`,
		func(ctx context.Context) (string, error) {
			drained, err := d.load.ChangeImage(ctx, d.cluster.Images.Next)
			return fmt.Sprintf("%d replicas drained, with up to %d streams open on them",
				drained.Replicas, drained.Streams), err
		})
}

func (d *demo) scaleDown(ctx context.Context) error {
	title := fmt.Sprintf("%d clients leave, and the replicas with them", scenario.Streams-scenario.RemainingStreams)
	return d.step(ctx, title, `The others keep streaming. The autoscaler removes replicas again, those with the fewest
		streams first.`,
		func(ctx context.Context) (string, error) {
			drained, err := d.load.ScaleDown(ctx)
			return fmt.Sprintf("%d replicas drained, with up to %d streams open on them",
				drained.Replicas, drained.Streams), err
		})
}

func (d *demo) count(ctx context.Context) error {
	return d.step(ctx, "The count", `Every client has checked that it got every token, once and in order, and a proper end.
		The gateways themselves count the streams that a vanished replica had open.`,
		func(ctx context.Context) (string, error) {
			tally, err := d.load.Finish(ctx)
			if err != nil {
				return "", err
			}
			own, err := d.cluster.CutStreams(ctx, d.service)
			if err != nil {
				return "", err
			}
			if own != tally.Cut {
				return "", fmt.Errorf("the clients count %d cut streams, the gateways %d", tally.Cut, own)
			}
			return fmt.Sprintf("streams cut: %d of %d by the clients' count, %d by the gateways' own (%d tokens)",
				tally.Cut, tally.Ended(), own, tally.Tokens), nil
		})
}
