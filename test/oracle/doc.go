// Package oracle compares this project with what it replaces: the program in app, written with FastAPI, and the
// LLMService in service.yaml answer the same requests side by side.
//
// Requests are in corpus. What differs must be listed in differences.yaml, with a number and a reason; an unlisted
// difference fails, and so does a listed one that is no longer there. `make oracle` prints them all.
package oracle
