package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// jdk is a Java that can compile.
type jdk struct {
	home    string
	major   int
	version string
}

var javaVersion = regexp.MustCompile(`(?m)^JAVA_VERSION="((\d+)[^"]*)"`)

// newestJDK is the newest of JAVA_HOME's and of those below /usr/lib/jvm; nil if there is none of a version, or of a later one.
func newestJDK(least int) *jdk {
	homes, _ := filepath.Glob("/usr/lib/jvm/*")
	var found []jdk
	for _, home := range append(homes, os.Getenv("JAVA_HOME")) {
		release, err := os.ReadFile(filepath.Join(home, "release"))
		version := javaVersion.FindSubmatch(release)
		_, missing := os.Stat(filepath.Join(home, "bin", "javac"))
		if err != nil || missing != nil || version == nil {
			continue
		}
		if major, err := strconv.Atoi(string(version[2])); err == nil && major >= least {
			found = append(found, jdk{home: home, major: major, version: string(version[1])})
		}
	}
	if len(found) == 0 {
		return nil
	}
	newest := slices.MaxFunc(found, func(a, b jdk) int { return cmp.Compare(a.major, b.major) })
	return &newest
}

// java is app/Relay.java on the newest JDK, which is told that it has one processor.
func java(threads, name string, least int) peer {
	return peer{
		name: name, warm: 6,
		about: func(context.Context) (string, error) {
			if j := newestJDK(least); j != nil {
				return "JDK " + j.version, nil
			}
			return "", fmt.Errorf("there is no JDK %d or later in /usr/lib/jvm or JAVA_HOME", least)
		},
		command: func(ctx context.Context, p place) (*exec.Cmd, error) {
			j := newestJDK(least)
			//nolint:gosec // the JDK of this machine
			compile := exec.CommandContext(ctx, filepath.Join(j.home, "bin", "javac"), "-d", p.dir, "bench/peers/app/Relay.java")
			if out, err := compile.CombinedOutput(); err != nil {
				return nil, fmt.Errorf("compile the relay: %w: %s", err, out)
			}
			// Without nodelay, its server waits for acknowledgements between the head and the body; it keeps 200 idle connections
			// otherwise.
			//nolint:gosec // the JDK of this machine
			return exec.CommandContext(ctx, filepath.Join(j.home, "bin", "java"), "-XX:ActiveProcessorCount=1", "-Xmx1g",
				"-Dsun.net.httpserver.nodelay=true", "-Dsun.net.httpserver.maxIdleConnections=8000", "-cp", p.dir,
				"Relay", p.port(), "http://"+p.upstream+"/v1/chat/completions", threads), nil
		},
	}
}
