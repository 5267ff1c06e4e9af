package controllers

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/llmservice/llmservice/api/v1alpha1"
	"github.com/llmservice/llmservice/controllers/render"
	"github.com/llmservice/llmservice/runtime/config/delivery"
)

const (
	// largeDocument is from how many bytes on a spec is marked before it is compiled; a smaller one is once it has taken
	// slowCompile. So most specs cost no write.
	largeDocument = 16 << 10
	slowCompile   = 300 * time.Millisecond
	// maxDeaths is after how many ends of the operator a spec is not tried again. One may be a node's, or another spec's.
	maxDeaths = 2
)

// judgement is what came of a spec.
type judgement struct {
	document render.Document
	problem  *problem
	// revision is the spec's, also if there is a problem with it, and generation that of the service which had it.
	revision   string
	generation int64
}

// lasts says that the mark of the spec stays: it is what the problem is about, or the compiler is still at work.
func (p *problem) lasts() bool {
	return p != nil && (p.reason == v1alpha1.ReasonCompileDied || p.reason == v1alpha1.ReasonTooSlow)
}

// judge compiles the spec, unless it did so before. If others take up all the room, or another config has just been delivered, it
// returns how soon to look again: until then nothing is known of the spec, and nothing changes.
func (r *Reconciler) judge(ctx context.Context, seen *view) (judgement, time.Duration, error) {
	if known, ok := r.memories.of(seen).judged.stillHolds(seen); ok {
		return known, 0, nil
	}
	translated, problem := translate(seen.service, r.Gateway)
	if problem != nil {
		return judgement{problem: problem}, 0, nil
	}
	memory, revision := r.memories.of(seen), translated.document.Revision()
	if wait := r.pace(seen, revision); wait > 0 {
		return judgement{}, wait, nil
	}
	if memory.judged.revision == revision {
		memory.judged.generation = seen.service.Generation
		return memory.judged.with(translated.document), 0, nil
	}
	if deaths(seen.service, revision) >= maxDeaths {
		problem := diedOf(revision)
		return judgement{problem: problem}, 0, nil
	}
	problem, wait, err := r.compile(ctx, seen, translated)
	if wait > 0 || err != nil {
		return judgement{}, wait, err
	}
	memory.judged = judgement{problem: problem, revision: revision, generation: seen.service.Generation}
	return memory.judged.with(translated.document), 0, nil
}

// stillHolds returns the judgement of a spec that is as it was, with the document that is delivered. If it is not the one that was
// judged, the spec has to be translated again: documents are not kept.
func (j judgement) stillHolds(seen *view) (judgement, bool) {
	if j.revision == "" || j.generation != seen.service.Generation {
		return judgement{}, false
	}
	if j.problem != nil {
		return j, true
	}
	known := seen.accepted()
	if known == nil || known.Current != j.revision {
		return judgement{}, false
	}
	document := seen.documentAt(delivery.CurrentKey).Recorded(known)
	return j.with(document), document.Revision() == j.revision
}

// with returns the judgement with its document, which is not kept: it may be large.
func (j judgement) with(document render.Document) judgement {
	j.document = document
	return j
}

func diedOf(revision string) *problem {
	return &problem{v1alpha1.ReasonCompileDied, fmt.Sprintf(
		"spec: the operator ended %d times while it compiled revision %s, and does not try again; change the spec",
		maxDeaths, revision)}
}

// deaths is how often the operator ended while it compiled the revision.
func deaths(service *v1alpha1.LLMService, revision string) int32 {
	if mark := service.Status.Compiling; mark != nil && mark.Revision == revision {
		return mark.Attempts
	}
	return 0
}

// compile compiles the spec if there is room for it. A spec that is large, or was being compiled when a process ended, is
// marked in the status first; the next status removes the mark.
func (r *Reconciler) compile(ctx context.Context, seen *view, translated translation) (*problem, time.Duration, error) {
	namespace, revision := seen.service.Namespace, translated.document.Revision()
	if wait := r.compiles.enter(namespace); wait > 0 {
		return nil, wait, nil
	}
	marked := len(translated.document.Encoded) >= largeDocument || deaths(seen.service, revision) > 0
	if marked {
		if err := r.mark(ctx, seen, revision); err != nil {
			r.compiles.leave(namespace, 0)
			return nil, 0, err
		}
	}
	// A compiler ends with its time, and not with the reconcile that began it: the room is free soon after.
	done := r.compiles.run(context.WithoutCancel(ctx), namespace, translated.config, log.FromContext(ctx))
	problem, err := r.await(ctx, seen, done, func() error {
		if marked {
			return nil
		}
		return r.mark(ctx, seen, revision)
	})
	return problem, 0, err
}

// await waits for the compiler up to its deadline, and marks a spec that is slow while it is compiled.
func (r *Reconciler) await(ctx context.Context, seen *view, done <-chan *problem, mark func() error) (*problem, error) {
	slow, deadline := time.NewTimer(slowCompile), time.NewTimer(compileDeadline)
	defer slow.Stop()
	defer deadline.Stop()
	for {
		select {
		case problem := <-done:
			return problem, nil
		case <-slow.C:
			if err := mark(); err != nil {
				log.FromContext(ctx).Error(err, "Cannot record that a slow spec is being compiled")
			}
		case <-deadline.C:
			return tooSlow(), nil
		case <-ctx.Done():
			return nil, fmt.Errorf("compile the spec of %s: %w", client.ObjectKeyFromObject(seen.service), ctx.Err())
		}
	}
}

// mark counts an attempt in the status, of the version that was seen.
func (r *Reconciler) mark(ctx context.Context, seen *view, revision string) error {
	marked := seen.service.DeepCopy()
	marked.Status.Compiling = &v1alpha1.Compiling{Revision: revision, Attempts: deaths(seen.service, revision) + 1}
	if err := r.Client.Status().Update(ctx, marked, client.FieldOwner(FieldOwner)); err != nil {
		return fmt.Errorf("mark the spec of %s: %w", client.ObjectKeyFromObject(marked), err)
	}
	seen.service.Status.Compiling, seen.service.ResourceVersion = marked.Status.Compiling, marked.ResourceVersion
	return nil
}
