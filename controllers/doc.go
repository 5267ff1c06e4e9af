// Package controllers is the operator: it observes an LLMService and what belongs to it, renders what should be,
// applies the difference, and reports.
package controllers
