package graph

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"gorgonia.org/tensor"
)

// Error is the first thing that went wrong while a graph was built: where, with what, and why.
type Error struct {
	Layer  string         // path of the layer, such as "layer1.0.conv1"
	Kind   string         // what the layer is, such as "conv2d"
	Inputs []tensor.Shape // what it was given
	File   string         // where the user's program asked for it
	Line   int
	Cause  error // which sizes do not fit and what was wanted
}

func (e *Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		fmt.Fprintf(&b, "%s:%d: ", filepath.Base(e.File), e.Line)
	}
	if e.Layer != "" {
		fmt.Fprintf(&b, "%s: ", e.Layer)
	}
	cause := e.Cause.Error()
	// A layer without a name of its own is called by its kind, and its op often is, too: once is enough.
	if e.Kind != "" && e.Kind != e.Layer && !strings.HasPrefix(cause, e.Kind+": ") {
		fmt.Fprintf(&b, "%s: ", e.Kind)
	}
	if e.Layer != "" {
		cause = strings.TrimPrefix(cause, e.Layer+": ")
	}
	b.WriteString(cause)
	if len(e.Inputs) > 0 {
		fmt.Fprintf(&b, " (given %v)", e.Inputs)
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Cause }

// The packages whose frames are skipped when looking for the user's line. Their tests count as users.
var library = []string{"graph.", "nn.", "ops.", "zoo.", "gan.", "train."}

const module = "github.com/stheno-ml/stheno/"

// caller is the file and line, outside this module's library packages, that led here.
func caller() (string, int) {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if !inLibrary(f) {
			return f.File, f.Line
		}
		if !more {
			return "", 0
		}
	}
}

func inLibrary(f runtime.Frame) bool {
	rest, ok := strings.CutPrefix(f.Function, module)
	if !ok || strings.HasSuffix(f.File, "_test.go") {
		return false
	}
	for _, l := range library {
		if strings.HasPrefix(rest, l) {
			return true
		}
	}
	return false
}
