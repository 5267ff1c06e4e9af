package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/llmservice/llmservice/api/v1alpha1"
)

// Path is where questions are sent to.
const Path = "/validate"

// Verdict is what came of a check.
type Verdict struct {
	// Refusal says why the spec cannot be served, in the words of the condition ConfigValid; empty if it can.
	Refusal string
	// Warnings are findings that do not keep the spec from being served.
	Warnings []string
}

// Check judges a service, which replaces another one, or none if before is nil. An error says why it could not judge in time.
type Check func(ctx context.Context, service, before *v1alpha1.LLMService) (Verdict, error)

// Handler answers admission reviews of LLMServices. It is safe for concurrent use.
type Handler struct {
	check Check
	room  *room
}

// NewHandler returns a handler whose specs are checked by check.
func NewHandler(check Check) *Handler { return &Handler{check: check, room: newRoom()} }

// ServeHTTP answers one review, before the API server stops waiting for the answer.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	limit := answerWithin(r.URL.Query().Get("timeout"))
	ctx, cancel := context.WithTimeout(r.Context(), limit)
	defer cancel()
	body := newBody(w, r, time.Now().Add(limit+reserve/2))
	read, err := h.read(ctx, body)
	if err != nil {
		body.discard()
		respond(w, unchecked(body.uid, err))
		return
	}
	defer h.room.leave(body.namespace)
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(read, &review); err != nil || review.Request == nil {
		http.Error(w, "the body is not an AdmissionReview with a request", http.StatusBadRequest)
		return
	}
	respond(w, h.answer(ctx, review.Request))
}

// read waits for room for the body, which the caller gives back unless there is an error.
func (h *Handler) read(ctx context.Context, body *body) ([]byte, error) {
	if err := h.room.enter(ctx, body.namespace); err != nil {
		return nil, err
	}
	read, err := body.read()
	if err != nil {
		h.room.leave(body.namespace)
	}
	return read, err
}

// answer judges a request. What it cannot read was not sent by an API server that knows LLMServices as this operator does.
func (h *Handler) answer(ctx context.Context, request *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	if request.Kind.Group != v1alpha1.Group || request.Kind.Kind != v1alpha1.Kind || request.SubResource != "" {
		return &admissionv1.AdmissionResponse{UID: request.UID, Allowed: true}
	}
	service, err := decode(request.Object.Raw)
	if err != nil {
		return unchecked(request.UID, err)
	}
	before, err := decode(request.OldObject.Raw)
	if err != nil {
		return unchecked(request.UID, err)
	}
	if service == nil || settled(service, before) {
		return &admissionv1.AdmissionResponse{UID: request.UID, Allowed: true}
	}
	verdict, err := h.check(ctx, service, before)
	if err != nil {
		return unchecked(request.UID, err)
	}
	return judged(request.UID, verdict)
}

// settled says that a request does not change the spec, or that it no longer matters: metadata and deletion never wait for a spec
// to be valid.
func settled(service, before *v1alpha1.LLMService) bool {
	return service.DeletionTimestamp != nil || before != nil && equality.Semantic.DeepEqual(service.Spec, before.Spec)
}

// decode returns nil if there is no object.
func decode(raw []byte) (*v1alpha1.LLMService, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil //nolint:nilnil // which is what the comment says
	}
	service := &v1alpha1.LLMService{}
	if json.Unmarshal(raw, service) != nil { // its error may quote the spec, which has prompts
		return nil, errors.New("it is not an LLMService that this operator can read")
	}
	return service, nil
}

func judged(uid types.UID, verdict Verdict) *admissionv1.AdmissionResponse {
	response := &admissionv1.AdmissionResponse{UID: uid, Allowed: verdict.Refusal == "", Warnings: verdict.Warnings}
	if !response.Allowed {
		response.Result = &metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusUnprocessableEntity,
			Reason: metav1.StatusReasonInvalid, Message: verdict.Refusal,
		}
	}
	return response
}

// unchecked admits a spec that was not checked, and says so.
func unchecked(uid types.UID, why error) *admissionv1.AdmissionResponse {
	warning := fmt.Sprintf("the spec was not checked: %v; its condition %s will report mistakes", why, v1alpha1.ConditionConfigValid)
	return &admissionv1.AdmissionResponse{UID: uid, Allowed: true, Warnings: []string{warning}}
}

func respond(w http.ResponseWriter, response *admissionv1.AdmissionResponse) {
	review := &admissionv1.AdmissionReview{Response: response}
	review.SetGroupVersionKind(admissionv1.SchemeGroupVersion.WithKind("AdmissionReview"))
	w.Header().Set("Content-Type", "application/json")
	// A client that is gone gets no answer.
	_ = json.NewEncoder(w).Encode(review) //nolint:errchkjson // nobody is left to tell
}
