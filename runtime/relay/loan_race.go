//go:build race

package relay

// spoils has memory that is given back overwritten, so that tests see who still reads it. For that, each text has lent memory.
const spoils, leastLent = true, 1
